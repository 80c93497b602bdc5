/** The port of the data path: pairs of UDP ports between which packets move. Two adapters implement it. */
import {
  type Counters,
  type Random,
  shuffled,
  TesserasError,
} from "@tesseras/core";
import type { SessionEnd, SessionTerms, Side } from "@tesseras/nat";
import type { Tally } from "./pair.ts";

/** UDP ports to bind, both ends included; 0 to 0 takes whichever is free. */
export type PortRange = { readonly from: number; readonly to: number };

/** Where pairs are bound. */
export type ForwarderOptions = {
  /** The IP to bind: `::` serves IPv4 too. */
  readonly ip: string;
  readonly ports: PortRange;
  /** Pairs at once; memory and sockets are bounded by it. */
  readonly pairsMax: number;
};

/** What a new pair begins with. */
export type PairRequest = {
  /** Where the asking peer, side 0, proved who it is. */
  readonly ip: string;
  readonly terms: SessionTerms;
};

/** One pair. It ends by itself after its terms' time. */
export interface ForwardedPair {
  /** Side 0 sends to the first port, side 1 to the second. */
  readonly ports: readonly [number, number];
  /** What has happened so far, at most a second old. */
  readonly tally: Readonly<Tally>;
  /** Resolves when both ports are closed, with the reason. Never rejects. */
  readonly ended: Promise<SessionEnd>;
  /**
   * A side proved to be at this address, first of all or after it has moved: its port is learned anew, unless its line works. Its
   * packets are taken once this resolves, so tell the peer its port after that. Never rejects.
   */
  relock(side: Side, ip: string): Promise<void>;
  /** Gives it better terms. Never rejects. */
  lift(terms: SessionTerms): Promise<void>;
  /** Ends it. Twice is once. */
  close(): void;
}

/** Moves packets. Disposing it closes every pair. */
export interface Forwarder extends AsyncDisposable {
  /** `kernel`: packets in batches, in a thread of its own. `datagrams`: the platform's sockets in the caller's. */
  readonly kind: "kernel" | "datagrams";
  /** Pairs open now. */
  readonly pairCount: number;
  /** Resolves with the error when nothing is forwarded any more: a bug of ours. */
  readonly failed: Promise<unknown>;
  /** Binds two ports. @throws `overloaded` when there are as many pairs as may be, or no port is free; `cancelled` when disposed */
  open(request: PairRequest, signal: AbortSignal): Promise<ForwardedPair>;
}

/** How often ended pairs are looked for and tallies told. */
export const SWEEP_MS = 500;

/** Binds of one port tried at most before a range counts as taken. */
const TRIES_MAX = 64;

/** Ports to try in turn: drawn, so that nobody guesses which is bound next. */
export function portsToTry(
  { from, to }: PortRange,
  random: Random,
): readonly number[] {
  if (from === 0) return [0];
  const count = to - from + 1;
  if (count <= TRIES_MAX) {
    return shuffled(Array.from({ length: count }, (_, i) => from + i), random);
  }
  const drawn = new Set<number>();
  while (drawn.size < TRIES_MAX) drawn.add(from + random.below(count));
  return [...drawn];
}

/** @throws `unusable` unless the range is 0 to 0, or has room for a pair and lies within 1 to 65535 */
export function checkPorts({ from, to }: PortRange): void {
  if (from === 0 && to === 0) return;
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 1 &&
    to <= 65_535 && to > from;
  if (isRange) return;
  throw new TesserasError(
    "unusable",
    `Cannot relay on ports ${from} to ${to}: wanted two or more of 1 to 65535`,
  );
}

/** The error of a forwarder that has no pair to give. */
export function noPair(why: string): TesserasError {
  return new TesserasError("overloaded", `Cannot open a relayed pair: ${why}`);
}

/** The error of a forwarder on an IP that is not this machine's. */
export function cannotBind(ip: string, cause?: unknown): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot relay on ${ip}: wanted an IP of this machine`,
    { cause },
  );
}

/** The error of a forwarder that was disposed. */
export function isOver(): TesserasError {
  return new TesserasError(
    "cancelled",
    "Cannot open a relayed pair: the relay has ended",
  );
}

/** Adds what is new in a tally to the counters of the process, and brings `told` up to it. */
export function tell(tally: Readonly<Tally>, told: Tally, counters: Counters) {
  counters.add(
    "relay.forwarded_packets",
    tally.forwardedPackets - told.forwardedPackets,
  );
  counters.add(
    "relay.bytes_forwarded",
    tally.forwardedBytes - told.forwardedBytes,
  );
  counters.add("relay.stranger", tally.strangerPackets - told.strangerPackets);
  counters.add("relay.over_rate", tally.ratePackets - told.ratePackets);
  counters.add("relay.nobody_there", tally.alonePackets - told.alonePackets);
  counters.add("relay.unsent", tally.unsentPackets - told.unsentPackets);
  Object.assign(told, tally);
}
