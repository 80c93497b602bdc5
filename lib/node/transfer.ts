/** A fragment on its way from this disk to a peer. */
import type { FragmentReader } from "@tesseras/archive";
import { readAhead } from "@tesseras/blobs";
import { TesserasError } from "@tesseras/core";
import type { BulkSource } from "@tesseras/net";
import type { Budget } from "./budget.ts";

/** A fragment's bytes as what follows a message, and what went wrong in reading them: that is no fault of the peer. */
export class FragmentBulk implements BulkSource {
  readonly bytes: number;
  readonly #fragment: FragmentReader;
  readonly #budget: Budget | undefined;
  #problem: unknown;

  /** Borrows the fragment. Sends as fast as it can where there is no budget. */
  constructor(fragment: FragmentReader, budget?: Budget) {
    this.bytes = fragment.bytes;
    this.#fragment = fragment;
    this.#budget = budget;
  }

  /** Why the bytes could not be read; `undefined` while they can. */
  get problem(): unknown {
    return this.#problem;
  }

  async *chunks(signal: AbortSignal): AsyncIterable<Uint8Array> {
    const reader = {
      read: (at: number, into: Uint8Array) => this.#read(at, into, signal),
    };
    const all = { offset: 0, length: this.bytes };
    if (this.#budget === undefined) {
      return yield* readAhead(reader, all, signal);
    }
    for await (const chunk of readAhead(reader, all, signal)) {
      await this.#budget.spend(chunk.length, signal);
      yield chunk;
    }
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
