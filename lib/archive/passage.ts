/** What is done to the bytes of a file on their way into the store, and what is learned of them there. */
import { type MemoryInput, readExif } from "@tesseras/tessera";
import { damaged, removePlaces } from "./places.ts";
import { PngPassage } from "./png_passage.ts";
import type { SourceFile } from "./source_file.ts";
import { WavPassage } from "./wav_passage.ts";
import { WebmPassage } from "./webm_passage.ts";

/**
 * What became of the coordinates in a file: there were none, they stayed, they are gone from our copy; or the file has notes
 * in which we change nothing, and which may tell of a place.
 */
export type PlaceFate = "none" | "kept" | "removed" | "unread";

/** What a file told on its way. */
export type Seen = {
  readonly about: Pick<MemoryInput, "takenAt" | "place" | "declaredOnly">;
  readonly place: PlaceFate;
};

/** The way of one file into the store. As many bytes come out as go in, so nothing in the file moves. */
export interface Passage {
  /** Takes bytes and gives those that may go on: borrowed until the next are asked for. */
  pass(chunk: Uint8Array): Iterable<Uint8Array>;
  /** Gives what was held back; the file ends here. */
  end(): Iterable<Uint8Array>;
  /** What was learned by now. */
  seen(): Seen;
}

/** What a passage is opened with. */
export type PassageOptions = {
  /** Whether coordinates stay. */
  readonly keepPlaces: boolean;
};

/**
 * The way of a file whose beginning is of its kind.
 *
 * @throws `unusable` from every step, when coordinates should go and the metadata they are in is damaged
 */
export function openPassage(
  file: SourceFile,
  head: Uint8Array,
  options: PassageOptions,
): Passage {
  const { keepPlaces } = options;
  switch (file.kind.name) {
    case "jpeg":
      return unchanged(lookAtJpeg(file, head, keepPlaces));
    case "png":
      return new PngPassage(file.name, options);
    case "wav":
      return keepPlaces ? unchanged(NOTHING) : new WavPassage();
    case "webm":
      return keepPlaces ? unchanged(NOTHING) : new WebmPassage();
    case "text":
      return unchanged(NOTHING);
  }
}

const NOTHING: Seen = { about: {}, place: "none" };

/** The way of a file of which all that matters is known. */
export function unchanged(seen: Seen): Passage {
  return { pass: (chunk) => [chunk], end: () => [], seen: () => seen };
}

/** What the beginning of a JPEG tells. Takes coordinates out of it where they are not wanted. */
function lookAtJpeg(
  { name }: SourceFile,
  head: Uint8Array,
  keepPlaces: boolean,
): Seen {
  const { takenAt, place } = readExif(head);
  const about = takenAt === undefined ? {} : { takenAt };
  if (keepPlaces) {
    return place === undefined
      ? { about, place: "none" }
      : { about: { ...about, place }, place: "kept" };
  }
  const removed = removePlaces(head);
  if (readExif(head).place !== undefined) throw damaged(name);
  return { about, place: removed || place !== undefined ? "removed" : "none" };
}
