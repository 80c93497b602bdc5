/** Writing in large pieces, while the next one is gathered. */
import { assert } from "@tesseras/core";
import { BLOCK_BYTES } from "./blobs.ts";
import { KIB } from "@tesseras/core/limits";

/** Bytes of the first piece: most of what is written is small, and hundreds may be under way. */
const PIECE_BYTES_FIRST = 32 * KIB;
/** Bytes of every other: handing a smaller one to another thread costs more than writing it (measured). */
const PIECE_BYTES = 512 * KIB;

/** Writes a piece after those before it; borrows it until the promise settles. */
export type WritePiece = (piece: Uint8Array) => Promise<void>;

/**
 * Gathers small chunks into large pieces and lets the caller go on while one is being written. Holds at most two pieces. A
 * write that fails is told by the next call, and by every call after that. One call at a time.
 */
export class WriteBehind {
  readonly #write: WritePiece;
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #pieceBytes: number;
  /** Where the next piece begins. */
  #offset: number;
  #filledBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  /** Stays true when a write fails, so that nothing is written after it. */
  #isWriting = false;

  /** @param offset where the first byte will lie: every large piece begins at a block of the disk */
  constructor(write: WritePiece, offset = 0) {
    this.#write = write;
    this.#offset = offset;
    const over = offset % BLOCK_BYTES;
    this.#pieceBytes = PIECE_BYTES_FIRST +
      (over === 0 ? 0 : BLOCK_BYTES - over);
  }

  /** Takes a chunk, borrowed until the promise settles; waits while the piece before the last is not written. */
  async push(chunk: Uint8Array): Promise<void> {
    let isLent = false;
    for (let at = 0; at < chunk.length;) {
      const left = chunk.length - at;
      if (this.#filledBytes === 0 && left >= this.#pieceBytes) {
        const whole = left - (this.#offset + left) % BLOCK_BYTES;
        await this.#begin(chunk.subarray(at, at + whole));
        isLent = true;
        at += whole;
        continue;
      }
      const piece = this.#piece ??= new Uint8Array(this.#pieceBytes);
      const part = chunk.subarray(at, at + piece.length - this.#filledBytes);
      piece.set(part, this.#filledBytes);
      this.#filledBytes += part.length;
      at += part.length;
      if (this.#filledBytes === piece.length) await this.#turn();
    }
    if (isLent) await this.#writing;
  }

  /** Writes what is gathered; resolves when everything is written. */
  async flush(): Promise<void> {
    if (this.#filledBytes > 0) await this.#turn();
    await this.#writing;
  }

  /** Resolves when nothing is being written any more, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#writing]);
  }

  /** Begins to write the gathered piece and takes the other to gather in. */
  async #turn(): Promise<void> {
    const full = this.#piece;
    assert(full !== undefined, "what is filled is there");
    await this.#begin(full.subarray(0, this.#filledBytes));
    this.#filledBytes = 0;
    this.#piece = this.#spare;
    this.#spare = full.length === PIECE_BYTES ? full : undefined;
  }

  async #begin(piece: Uint8Array): Promise<void> {
    // Without a detour where nothing is in the way: the caller works on while this piece is written.
    if (this.#isWriting) await this.#writing;
    this.#isWriting = true;
    this.#pieceBytes = PIECE_BYTES;
    this.#offset += piece.length;
    this.#writing = this.#write(piece).then(() => {
      this.#isWriting = false;
    });
    // Told to whoever comes next; until then a failure is nobody's surprise.
    this.#writing.catch(() => {});
  }
}
