/** How much a holder still takes: set aside before a byte comes, so that parallel transfers cannot together break a limit. */
import type { Blobs } from "@tesseras/blobs";
import {
  type Counters,
  keyOf,
  type NodeId,
  TesserasError,
} from "@tesseras/core";
import type { State } from "@tesseras/state";

/** What {@link Space} works with. */
export type SpaceParts = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly counters: Counters;
  /** Free bytes left to the machine. */
  readonly freeSpaceMin: number;
  /** Bytes one peer may keep here. */
  readonly perPeerMax: number;
};

/** The bytes promised to transfers under way. */
export class Space {
  readonly #parts: SpaceParts;
  readonly #bySender = new Map<string, number>();
  #promisedBytes = 0;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
  }

  /** Bytes promised now, to all senders together. */
  get promisedBytes(): number {
    return this.#promisedBytes;
  }

  /**
   * Sets bytes aside for a sender. Dispose what it returns when they are kept or given up.
   *
   * @throws `refused` when the sender has its share, `diskFull` when the disk has no more to give
   */
  async promise(
    sender: NodeId,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Disposable> {
    const key = keyOf(sender);
    // Counted before the waiting below, so that two who ask at once see each other.
    this.#add(key, bytes);
    const promise = { [Symbol.dispose]: () => this.#add(key, -bytes) };
    try {
      await this.#check(sender, bytes, signal);
      return promise;
    } catch (error) {
      promise[Symbol.dispose]();
      throw error;
    }
  }

  #add(key: string, bytes: number): void {
    this.#promisedBytes += bytes;
    const promised = (this.#bySender.get(key) ?? 0) + bytes;
    if (promised > 0) this.#bySender.set(key, promised);
    else this.#bySender.delete(key);
  }

  async #check(
    sender: NodeId,
    bytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { state, blobs, counters, perPeerMax, freeSpaceMin } = this.#parts;
    const held = await state.storedBytes(sender, signal);
    const promised = this.#bySender.get(keyOf(sender)) ?? 0;
    if (held + promised > perPeerMax) {
      counters.add("fragment.refused_per_peer");
      throw new TesserasError(
        "refused",
        `Cannot keep ${bytes} bytes: ${held} bytes of this peer are here and ${promised} on their way, the limit is ${perPeerMax}`,
      );
    }
    const free = await blobs.freeBytes(signal);
    // What has come of a promise is counted twice for a moment, which errs on the safe side.
    if (free - this.#promisedBytes < freeSpaceMin) {
      counters.add("fragment.refused_space");
      throw new TesserasError(
        "diskFull",
        `Cannot keep ${bytes} bytes: ${free} bytes are free, ${freeSpaceMin} must stay free`,
      );
    }
  }
}
