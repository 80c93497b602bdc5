/** How much a holder still takes: set aside before a byte comes, so that parallel transfers cannot together break a limit. */
import type { Blobs } from "@tesseras/blobs";
import {
  type Counters,
  keyOf,
  type NodeId,
  type Runtime,
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
export type SpaceParts = Pick<Runtime, "clock"> & {
  readonly state: State;
  readonly blobs: Blobs;
  readonly counters: Counters;
  /** Free bytes left to the machine. */
  readonly freeSpaceMin: number;
  /** Bytes kept for all others together. */
  readonly storeMax: number;
  /** Bytes one peer may keep here. */
  readonly perPeerMax: number;
  /** Bytes all peers of one subnet may keep here. */
  readonly perSubnetMax: number;
};

/** Bytes set aside. Disposing it gives them back. */
export interface SpacePromise extends Disposable {
  /** Says that the bytes are kept now. */
  keep(): void;
}

/**
 * How long a figure read before is used, with what was kept since added to it. It can only be too high by what was removed, or
 * shared, meanwhile, and whoever would be refused by it is refused by a fresh one. For the free bytes of the disk, to which
 * others write, it must be short.
 */
const FRESH_MS = 250;
/** Sharers whose figures are remembered: many more than are sending at once. */
const SHARERS_MAX = 1_024;
/** The name of all sharers together; no peer and no subnet is called so. */
const ALL = "";

/** What somebody has here. */
type Share = {
  promisedBytes: number;
  /** What came to be kept in all this time. */
  keptBytes: number;
  /** What the state told, when, and how far {@link keptBytes} was when it was asked. */
  told?: {
    readonly bytes: number;
    readonly keptBytes: number;
    readonly readMs: number;
  };
};

/** The bytes promised to transfers under way. */
export class Space {
  readonly #parts: SpaceParts;
  /** By peer, by subnet and of all, the one asked for last at the end. */
  readonly #shares = new Map<string, Share>();
  #free: { bytes: number; readonly readMs: number } | undefined;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
  }

  /** Bytes promised now, to all senders together. */
  get promisedBytes(): number {
    return this.#shares.get(ALL)?.promisedBytes ?? 0;
  }

  /**
   * Sets bytes aside for a sender. Dispose what it returns when they are kept or given up.
   *
   * @throws `refused` when the sender or its subnet has its share, `diskFull` when there is no more to give
   */
  async promise(
    sender: Sender,
    bytes: number,
    signal: AbortSignal,
  ): Promise<SpacePromise> {
    // Counted before the waiting below, so that two who ask at once see each other.
    this.#add(sender, bytes);
    const promise = {
      keep: () => this.#kept(sender, bytes),
      [Symbol.dispose]: () => this.#add(sender, -bytes),
    };
    try {
      await this.#check(sender, bytes, signal);
      return promise;
    } catch (error) {
      promise[Symbol.dispose]();
      throw error;
    }
  }

  #add(sender: Sender, bytes: number): void {
    for (const name of namesOf(sender)) {
      this.#share(name).promisedBytes += bytes;
    }
  }

  #kept(sender: Sender, bytes: number): void {
    for (const name of namesOf(sender)) {
      this.#share(name).keptBytes += bytes;
    }
    if (this.#free !== undefined) this.#free.bytes -= bytes;
  }

  async #check(
    sender: Sender,
    bytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { counters, perPeerMax, perSubnetMax, storeMax } = this.#parts;
    const { id, subnet } = sender;
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
    if (!await this.#isWithin(storeMax, undefined, signal)) {
      counters.add("fragment.refused_store_full");
      throw new TesserasError(
        "diskFull",
        `Cannot keep ${bytes} bytes: with what is here of all others and on its way they are more than ${storeMax}`,
      );
    }
    await this.#checkDisk(bytes, signal);
  }

  /** Whether what is kept for a peer, a subnet or all and what is promised to them are within a limit. */
  async #isWithin(
    limit: number,
    whose: NodeId | string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (limit === Infinity) return true;
    const share = this.#share(nameOf(whose));
    const nowMs = this.#parts.clock.monotonicMs();
    const { told } = share;
    const isFresh = told !== undefined && nowMs - told.readMs < FRESH_MS;
    if (isFresh && bytesOf(share) <= limit) return true;
    // What is kept while the state is asked may be in its answer or not: it is added, which errs on the safe side.
    const { keptBytes } = share;
    const bytes = await this.#parts.state.storedBytes(whose, signal);
    share.told = { bytes, keptBytes, readMs: nowMs };
    return bytesOf(share) <= limit;
  }

  async #checkDisk(bytes: number, signal: AbortSignal): Promise<void> {
    const { blobs, clock, counters, freeSpaceMin } = this.#parts;
    const nowMs = clock.monotonicMs();
    // What has come of a promise is counted twice for a moment, which errs on the safe side.
    const fits = (): boolean =>
      (this.#free?.bytes ?? 0) - this.promisedBytes >= freeSpaceMin;
    const isFresh = this.#free !== undefined &&
      nowMs - this.#free.readMs < FRESH_MS;
    if (isFresh && fits()) return;
    const free = await blobs.freeBytes(signal);
    this.#free = { bytes: free, readMs: nowMs };
    if (fits()) return;
    counters.add("fragment.refused_space");
    throw new TesserasError(
      "diskFull",
      `Cannot keep ${bytes} bytes: ${free} bytes are free, ${freeSpaceMin} must stay free`,
    );
  }

  /** The share of a name, from now on the one asked for last. */
  #share(name: string): Share {
    const share = this.#shares.get(name) ??
      { promisedBytes: 0, keptBytes: 0 };
    this.#shares.delete(name);
    this.#shares.set(name, share);
    if (this.#shares.size > SHARERS_MAX) this.#forgetOldest();
    return share;
  }

  /** Nobody who was promised something is forgotten. */
  #forgetOldest(): void {
    for (const [name, { promisedBytes }] of this.#shares) {
      if (promisedBytes > 0) continue;
      this.#shares.delete(name);
      return;
    }
  }
}

/** Kept and promised. */
function bytesOf({ promisedBytes, keptBytes, told }: Share): number {
  return promisedBytes + (told?.bytes ?? 0) + keptBytes -
    (told?.keptBytes ?? 0);
}

function namesOf({ id, subnet }: Sender): readonly string[] {
  return subnet === undefined
    ? [ALL, nameOf(id)]
    : [ALL, nameOf(id), nameOf(subnet)];
}

function nameOf(whose: NodeId | string | undefined): string {
  if (whose === undefined) return ALL;
  return typeof whose === "string" ? whose : keyOf(whose);
}
