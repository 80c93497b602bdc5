/** A PNG on its way into the store: its Exif is read, and coordinates are taken out of every chunk that may have them. */
import { equal, utf8 } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { type Exif, readExifBlock } from "@tesseras/tessera";
import { crc32 } from "node:zlib";
import type { Passage, PassageOptions, Seen } from "./passage.ts";
import { clearExif, damaged } from "./places.ts";
import { clearText } from "./png_text.ts";

/** Bytes of a PNG's signature (PNG 3rd edition, 5.2). */
const SIGNATURE_BYTES = 8;
/** Length and type before the data of a chunk (5.3). */
const HEADER_BYTES = 8;
const CRC_BYTES = 4;
/** A chunk of metadata we hold in memory; cameras and editors write a tenth of it. */
const METADATA_BYTES_MAX = 1 * MIB;
/** What a writer used to JPEG may put before the Exif of a chunk `eXIf`, which should have nothing there (11.3.4.5). */
const EXIF_PREFIX = utf8("Exif\0\0");

/** Chunks in which text may lie (11.3.3). */
const TEXT_CHUNKS: ReadonlySet<string> = new Set(["tEXt", "zTXt", "iTXt"]);

/** Chunks of metadata that we do not take apart: packed Exif of old writers, and claims of origin (C2PA 2.1, A.3.3). */
const NOTE_CHUNKS: ReadonlySet<string> = new Set(["zxIf", "caBX"]);

/**
 * Walks the chunks of a PNG as they come. The picture goes through; metadata, wherever it lies, is held back until it is whole.
 * Where coordinates are not wanted they are overwritten in place and the chunk gets a new CRC.
 */
export class PngPassage implements Passage {
  readonly #name: string;
  readonly #keepPlaces: boolean;
  readonly #header = new Uint8Array(HEADER_BYTES);
  /** A header, or a whole chunk of metadata, of which {@link #heldBytes} have come. */
  #held = this.#header;
  #heldBytes = 0;
  /** Bytes that go through before the next header. */
  #skip = SIGNATURE_BYTES;
  /** Whether the last chunk goes through. */
  #isLast = false;
  #exif: Exif | undefined;
  #removed = false;
  /** Whether there is something that may tell of a place and that we leave as it is. */
  #hasNotes = false;

  /** @param name the file's, for messages */
  constructor(name: string, { keepPlaces }: PassageOptions) {
    this.#name = name;
    this.#keepPlaces = keepPlaces;
  }

  *pass(chunk: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < chunk.length;) {
      const wanted = this.#skip > 0
        ? this.#skip
        : this.#held.length - this.#heldBytes;
      const part = chunk.subarray(at, at + Math.min(wanted, chunk.length - at));
      at += part.length;
      if (this.#skip > 0) {
        if (this.#skip === Infinity) this.#hasNotes = true;
        this.#skip -= part.length;
        // Nothing after the last chunk belongs to the picture (5.6), and anything may be there.
        if (this.#isLast && this.#skip === 0) this.#skip = Infinity;
        yield part;
        continue;
      }
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes += part.length;
      if (this.#heldBytes < this.#held.length) continue;
      if (this.#held === this.#header) {
        if (this.#hold()) continue;
        yield this.#header;
      } else {
        this.#look(this.#held, this.#held.length - CRC_BYTES);
        yield this.#held;
      }
      this.#held = this.#header;
      this.#heldBytes = 0;
    }
  }

  *end(): Generator<Uint8Array> {
    const rest = this.#held.subarray(0, this.#heldBytes);
    if (rest.length === 0) return;
    // The file is cut off here: what there is of the metadata may still be read by others.
    if (this.#held !== this.#header) this.#look(rest, rest.length);
    yield rest;
  }

  seen(): Seen {
    const { takenAt, place } = this.#exif ?? {};
    const about = takenAt === undefined ? {} : { takenAt };
    if (!this.#keepPlaces) {
      if (this.#hasNotes) return { about, place: "unread" };
      return { about, place: this.#removed ? "removed" : "none" };
    }
    return place === undefined
      ? { about, place: "none" }
      : { about: { ...about, place }, place: "kept" };
  }

  /** Whether the chunk that begins with this header is held back; otherwise it goes through. */
  #hold(): boolean {
    const dataBytes = new DataView(this.#header.buffer).getUint32(0);
    const type = typeOf(this.#header);
    const wanted = type === "eXIf" ||
      !this.#keepPlaces && TEXT_CHUNKS.has(type);
    const fits = dataBytes <= METADATA_BYTES_MAX;
    if (wanted && !fits && !this.#keepPlaces) throw damaged(this.#name);
    if (NOTE_CHUNKS.has(type)) this.#hasNotes = true;
    if (!wanted || !fits) {
      this.#skip = dataBytes + CRC_BYTES;
      this.#isLast = type === "IEND";
      return false;
    }
    this.#held = new Uint8Array(HEADER_BYTES + dataBytes + CRC_BYTES);
    this.#held.set(this.#header);
    return true;
  }

  /** Reads a chunk of metadata whose data ends at `end`, and takes coordinates out of it. */
  #look(chunk: Uint8Array, end: number): void {
    const data = chunk.subarray(HEADER_BYTES, end);
    let changed = false;
    if (typeOf(chunk) === "eXIf") {
      const prefixed = equal(data.subarray(0, EXIF_PREFIX.length), EXIF_PREFIX);
      const tiff = data.subarray(prefixed ? EXIF_PREFIX.length : 0);
      const exif = readExifBlock(tiff);
      this.#exif ??= exif;
      if (this.#keepPlaces) return;
      changed = clearExif(tiff) || exif.place !== undefined;
      if (readExifBlock(tiff).place !== undefined) throw damaged(this.#name);
    } else {
      changed = clearText(chunk.subarray(HEADER_BYTES - 4, end));
    }
    this.#removed ||= changed;
    if (!changed || end + CRC_BYTES > chunk.length) return;
    const checked = chunk.subarray(HEADER_BYTES - 4, end);
    new DataView(chunk.buffer).setUint32(end, crc32(checked));
  }
}

function typeOf(chunk: Uint8Array): string {
  return String.fromCharCode(...chunk.subarray(4, HEADER_BYTES));
}
