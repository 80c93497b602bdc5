/** How much a holder still takes: set aside before a byte comes, so that parallel transfers cannot together break a limit. */
import type { Blobs } from "@tesseras/blobs";
import {
  type Counters,
  keyOf,
  type NodeId,
  TesserasError,
} from "@tesseras/core";
import type { State } from "@tesseras/state";

/** Who wants something kept. */
export type Sender = {
  readonly id: NodeId;
  /** The network it was reached in; `undefined` where subnets say nothing, as in a cluster on one machine. */
  readonly subnet: string | undefined;
};

/** What {@link Space} works with. */
export type SpaceParts = {
  readonly state: State;
  readonly blobs: Blobs;
  readonly counters: Counters;
  /** Free bytes left to the machine. */
  readonly freeSpaceMin: number;
  /** Bytes one peer may keep here. */
  readonly perPeerMax: number;
  /** Bytes all peers of one subnet may keep here. */
  readonly perSubnetMax: number;
};

/** The bytes promised to transfers under way. */
export class Space {
  readonly #parts: SpaceParts;
  /** By peer and by subnet. */
  readonly #bySharer = new Map<string, number>();
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
   * @throws `refused` when the sender or its subnet has its share, `diskFull` when the disk has no more to give
   */
  async promise(
    sender: Sender,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Disposable> {
    // Counted before the waiting below, so that two who ask at once see each other.
    this.#add(sender, bytes);
    const promise = { [Symbol.dispose]: () => this.#add(sender, -bytes) };
    try {
      await this.#check(sender, bytes, signal);
      return promise;
    } catch (error) {
      promise[Symbol.dispose]();
      throw error;
    }
  }

  #add({ id, subnet }: Sender, bytes: number): void {
    this.#promisedBytes += bytes;
    for (
      const key of subnet === undefined ? [keyOf(id)] : [keyOf(id), subnet]
    ) {
      const promised = (this.#bySharer.get(key) ?? 0) + bytes;
      if (promised > 0) this.#bySharer.set(key, promised);
      else this.#bySharer.delete(key);
    }
  }

  async #check(
    { id, subnet }: Sender,
    bytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { blobs, counters, freeSpaceMin } = this.#parts;
    const { perPeerMax, perSubnetMax } = this.#parts;
    if (!await this.#isWithin(perPeerMax, id, signal)) {
      counters.add("fragment.refused_per_peer");
      throw new TesserasError(
        "refused",
        `Cannot keep ${bytes} bytes: with what is here of this peer and on its way they are more than ${perPeerMax}`,
      );
    }
    if (
      subnet !== undefined &&
      !await this.#isWithin(perSubnetMax, subnet, signal)
    ) {
      counters.add("fragment.refused_per_subnet");
      throw new TesserasError(
        "refused",
        `Cannot keep ${bytes} bytes: with what is here of all peers in ${subnet} and on its way they are more than ${perSubnetMax}`,
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

  /** Whether what is kept for a peer or a subnet and what is promised to it are within a limit. */
  async #isWithin(
    limit: number,
    whose: NodeId | string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const held = await this.#parts.state.storedBytes(whose, signal);
    const key = typeof whose === "string" ? whose : keyOf(whose);
    return held + (this.#bySharer.get(key) ?? 0) <= limit;
  }
}
