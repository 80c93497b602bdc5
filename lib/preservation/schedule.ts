/**
 * When a tessera is looked at. Its hour of the day follows from its key alone, so that the work of a node and of the network is
 * spread evenly, all holders of one tessera look at it together, and a restart knows where it was without having written it down.
 */
import type { NodeId, Random } from "@tesseras/core";
import { REPAIR_INTERVAL_MS, REPAIR_JITTER_MS } from "@tesseras/core/limits";

/** How often, and how evenly. */
export type Pace = {
  /** Between two looks at one tessera. */
  readonly intervalMs: number;
  /** By how much a look is delayed at most. */
  readonly jitterMs: number;
};

/** The pace of the user guide: every 24 h, delayed by up to 2 h. */
export const PACE_DEFAULTS: Pace = {
  intervalMs: REPAIR_INTERVAL_MS,
  jitterMs: REPAIR_JITTER_MS,
};

/** Bytes at the end of a key that decide its hour: one part in 2^32 of a day is 20 microseconds. */
const PHASE_BYTES = 4;

/**
 * When in each interval a tessera's round begins, from 0 to less than the interval.
 *
 * The end of the key decides: holders are near the key, so the keys a node has begin alike, and by their beginning all of
 * them would come at once.
 */
export function phaseMs(
  key: NodeId,
  { intervalMs }: Pace = PACE_DEFAULTS,
): number {
  let number = 0;
  for (const byte of key.subarray(key.length - PHASE_BYTES)) {
    number = number * 256 + byte;
  }
  return Math.floor(number / 256 ** PHASE_BYTES * intervalMs);
}

/** The number of the round a tessera is in at a moment. */
export function roundAt(
  key: NodeId,
  nowMs: number,
  pace: Pace = PACE_DEFAULTS,
): number {
  return Math.floor((nowMs - phaseMs(key, pace)) / pace.intervalMs);
}

/** When a round begins, in Unix milliseconds. */
export function roundBeginsMs(
  key: NodeId,
  round: number,
  pace: Pace = PACE_DEFAULTS,
): number {
  return round * pace.intervalMs + phaseMs(key, pace);
}

/** When a node looks in a round: at its beginning or up to a jitter later, so that not all ask in one moment. */
export function lookAtMs(
  key: NodeId,
  round: number,
  { random, pace = PACE_DEFAULTS }: {
    readonly random: Random;
    readonly pace?: Pace;
  },
): number {
  return roundBeginsMs(key, round, pace) + delayMs(pace.jitterMs, random);
}

/** A random delay of whole milliseconds below a limit; 0 where the limit is. Longer than 49 days is never drawn. */
export function delayMs(limitMs: number, random: Random): number {
  return random.below(Math.min(2 ** 32, Math.max(1, Math.floor(limitMs))));
}

/**
 * The first point after a moment on the grid from which turns are counted: the beginning of the tessera's rounds and every
 * jitter's length after it. All who look in one round do so before the same point.
 */
export function gridPointMs(
  key: NodeId,
  atMs: number,
  pace: Pace = PACE_DEFAULTS,
): number {
  const beginsMs = roundBeginsMs(key, roundAt(key, atMs, pace), pace);
  const step = Math.max(1, pace.jitterMs);
  const point = beginsMs + (Math.floor((atMs - beginsMs) / step) + 1) * step;
  return Math.min(point, beginsMs + pace.intervalMs);
}

/**
 * The keys whose round began after `fromMs` and not after `toMs`, in the order in which they did, each once: what a node that
 * was last here at `fromMs` has to look at. After more than an interval away these are all of them.
 */
export function dueBetween(
  keys: readonly NodeId[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  pace: Pace = PACE_DEFAULTS,
): readonly NodeId[] {
  return keys
    .map((key) => ({
      key,
      beganMs: roundBeginsMs(key, roundAt(key, toMs, pace), pace),
    }))
    .filter(({ beganMs }) => beganMs > fromMs)
    .sort((a, b) => a.beganMs - b.beganMs)
    .map(({ key }) => key);
}

/** Holders that look at a tessera in every round. Each asks all the others, so that all of 72 would ask 5,112 times a day. */
export const WATCHERS = 3;
/** The others look in one round of this many: a lie of all watchers lasts a week. */
export const OTHERS_LOOK_EVERY_ROUNDS = 7;

/** Whether the holder with so many live ones before it looks in a round. The others take turns, so that some look every day. */
export function looksIn(round: number, place: number): boolean {
  return place < WATCHERS || (round + place) % OTHERS_LOOK_EVERY_ROUNDS === 0;
}
