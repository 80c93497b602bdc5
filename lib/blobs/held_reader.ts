/** A blob whose bytes lie in memory. */
import { type Hash, throwIfAborted } from "@tesseras/core";
import { assertRange, type BlobReader } from "./blobs.ts";

/** Reads bytes in memory as a blob; borrows them for as long as it lives. */
export class HeldReader implements BlobReader {
  readonly hash: Hash;
  readonly #content: Uint8Array;

  constructor(hash: Hash, content: Uint8Array) {
    this.hash = hash;
    this.#content = content;
  }

  get bytes(): number {
    return this.#content.length;
  }

  read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    return Promise.try(() => {
      throwIfAborted(signal);
      assertRange(offset, 0, Number.MAX_SAFE_INTEGER);
      const part = this.#content.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
