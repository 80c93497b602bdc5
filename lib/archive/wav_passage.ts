/** A WAV on its way into the store: nothing in it is changed, but notes that may tell of a place are noticed. */
import type { Passage, Seen } from "./passage.ts";

/** Identifier and form of a RIFF file (Multimedia Programming Interface 1.0, chapter 2). */
const RIFF_BYTES = 12;
/** Identifier and length of a chunk. */
const HEADER_BYTES = 8;

/** Chunks of notes that have room for a place: lists of texts, ID3, XMP, and those of broadcasters (EBU Tech 3285, iXML). */
const NOTES: ReadonlySet<string> = new Set(
  ["LIST", "id3 ", "ID3 ", "_PMX", "bext", "iXML", "axml"],
);

/** Walks the chunks of a WAV as they come, and lets all of it through. */
export class WavPassage implements Passage {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes before the next header. */
  #skip = RIFF_BYTES;
  #hasNotes = false;

  pass(chunk: Uint8Array): readonly Uint8Array[] {
    for (let at = 0; at < chunk.length;) {
      const left = chunk.length - at;
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, left);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const part = chunk.subarray(
        at,
        at + Math.min(HEADER_BYTES - this.#headerBytes, left),
      );
      this.#header.set(part, this.#headerBytes);
      this.#headerBytes += part.length;
      at += part.length;
      if (this.#headerBytes === HEADER_BYTES) this.#look();
    }
    return [chunk];
  }

  end(): readonly Uint8Array[] {
    return [];
  }

  seen(): Seen {
    return { about: {}, place: this.#hasNotes ? "unread" : "none" };
  }

  #look(): void {
    const id = String.fromCharCode(...this.#header.subarray(0, 4));
    this.#hasNotes ||= NOTES.has(id);
    const bytes = new DataView(this.#header.buffer).getUint32(4, true);
    // Chunks begin at even places.
    this.#skip = bytes + bytes % 2;
    this.#headerBytes = 0;
  }
}
