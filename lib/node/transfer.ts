/** A fragment on its way from this disk to a peer. */
import type { FragmentReader } from "@tesseras/archive";
import { readAhead } from "@tesseras/blobs";
import { TesserasError } from "@tesseras/core";
import type { BulkSource } from "@tesseras/net";

/** A fragment's bytes as what follows a message, and what went wrong in reading them: that is no fault of the peer. */
export class FragmentBulk implements BulkSource {
  readonly bytes: number;
  readonly #fragment: FragmentReader;
  #problem: unknown;

  /** Borrows the fragment. */
  constructor(fragment: FragmentReader) {
    this.bytes = fragment.bytes;
    this.#fragment = fragment;
  }

  /** Why the bytes could not be read; `undefined` while they can. */
  get problem(): unknown {
    return this.#problem;
  }

  async *chunks(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const reader = {
      read: (at: number, into: Uint8Array) => this.#read(at, into, signal),
    };
    yield* readAhead(reader, { offset: 0, length: this.bytes }, signal);
  }

  async #read(
    at: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    try {
      const count = await this.#fragment.read(at, into, signal);
      if (count > 0) return count;
      throw new TesserasError(
        "corrupt",
        `Cannot send a fragment: it ends after ${at} of ${this.bytes} bytes`,
      );
    } catch (error) {
      if (!signal.aborted) this.#problem = error;
      throw error;
    }
  }
}
