/** Reads one file of a person once: into a blob, through both hashes, with a look at its beginning. */
import { TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import type { Blobs } from "@tesseras/blobs";
import { Sha256 } from "@tesseras/crypto";
import {
  EXIF_HEAD_BYTES,
  looksLike,
  type MemoryInput,
  readExif,
} from "@tesseras/tessera";
import type { Intake } from "./intake.ts";
import { removePlaces } from "./places.ts";
import { quoted } from "./quoted.ts";
import type { SourceFile, SourceReader } from "./source_file.ts";

/** Bytes read at once after the head. */
const CHUNK_BYTES = 1 * MIB;

/** What became of the coordinates in a file: there were none, they stayed, or they are gone from our copy. */
export type PlaceFate = "none" | "kept" | "removed";

/** A file that is in the store now. */
export type TakenIn = {
  readonly memory: MemoryInput;
  readonly place: PlaceFate;
};

/** Where a file goes and what is done to it on the way. */
export type TakeInParts = {
  readonly blobs: Blobs;
  readonly intake: Intake;
  /** Whether coordinates stay in photographs and are told about them. */
  readonly keepPlaces: boolean;
  /** Is told of bytes as they are read. */
  readonly onBytes: (bytes: number) => void;
};

/** @throws `unusable` when the file changes while it is read, `missing` when it is gone, `diskFull` */
export async function takeIn(
  parts: TakeInParts,
  file: SourceFile,
  signal: AbortSignal,
): Promise<TakenIn> {
  await using reader = await file.open(signal);
  await using writer = await parts.blobs.create(signal);
  const sha256 = new Sha256();
  const take = async (chunk: Uint8Array): Promise<void> => {
    const writing = writer.write(chunk, signal);
    sha256.update(chunk);
    await writing;
    parts.onBytes(chunk.length);
  };
  const head = await readHead(file, reader, signal);
  const seen = await lookAt(file, head, parts.keepPlaces);
  await take(head);
  const left = Math.min(CHUNK_BYTES, file.bytes - head.length);
  const chunk = new Uint8Array(Math.max(1, left));
  for (;;) {
    const count = await reader.read(chunk, signal);
    if (count === 0) break;
    if (writer.bytes + count > file.bytes) throw changed(file);
    await take(chunk.subarray(0, count));
  }
  await reader.checkUnchanged(signal);
  if (writer.bytes !== file.bytes) throw changed(file);
  const { hash, bytes } = await parts.intake.commit(writer, signal);
  const { name, kind, modifiedAtMs } = file;
  return {
    memory: {
      ...seen.about,
      name,
      kind,
      bytes,
      modifiedAtMs,
      blake3: hash,
      sha256: sha256.digest(),
    },
    place: seen.place,
  };
}

async function readHead(
  file: SourceFile,
  reader: SourceReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(EXIF_HEAD_BYTES, file.bytes));
  for (let filled = 0; filled < head.length;) {
    const count = await reader.read(head.subarray(filled), signal);
    if (count === 0) throw changed(file);
    filled += count;
  }
  return head;
}

/** What the beginning of a file tells. Takes coordinates out of it where they are not wanted. */
async function lookAt(
  file: SourceFile,
  head: Uint8Array,
  keepPlaces: boolean,
): Promise<{
  readonly about: Pick<MemoryInput, "takenAt" | "place" | "declaredOnly">;
  readonly place: PlaceFate;
}> {
  if (!looksLike(file.kind, head)) {
    return { about: { declaredOnly: true }, place: "none" };
  }
  if (file.kind.name !== "jpeg") return { about: {}, place: "none" };
  const { takenAt, place } = await readExif(head);
  const about = takenAt === undefined ? {} : { takenAt };
  if (keepPlaces) {
    return place === undefined
      ? { about, place: "none" }
      : { about: { ...about, place }, place: "kept" };
  }
  const removed = removePlaces(head);
  if ((await readExif(head)).place !== undefined) {
    throw new TesserasError(
      "unusable",
      `Cannot take the place out of ${
        quoted(file.name)
      }: its metadata is damaged; leave the file out, or keep places`,
    );
  }
  return { about, place: removed || place !== undefined ? "removed" : "none" };
}

function changed(file: SourceFile): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot keep ${
      quoted(file.name)
    }: it changed while it was read; try again when nothing writes to it`,
  );
}
