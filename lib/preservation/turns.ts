/**
 * Whose turn it is to repair. Every holder that lives could; the nearest to the tessera's key goes first and the others wait, each
 * for a time of its own. Nobody grants a turn and nobody waits for a word: whoever's time has come looks again and makes
 * what is still missing. Nodes that see the same holders never act together; nodes that see others waste a little, and
 * somebody always acts.
 */
import { equal, keyOf, type NodeId, type Random } from "@tesseras/core";
import { CLOCK_SKEW_MS, KIB } from "@tesseras/core/limits";
import { delayMs, gridPointMs, type Pace, PACE_DEFAULTS } from "./schedule.ts";

/** How long turns are. */
export type TurnLimits = {
  /** What a turn takes whatever there is to move. */
  readonly turnBaseMs: number;
  /** Bytes a second at which a turn has time for reading the whole pack. */
  readonly bytesPerSecond: number;
  /** By how much a turn's beginning is moved at most. */
  readonly turnJitterMs: number;
};

/** Turns of the public network: 20 minutes for the smallest tessera, 84 for the largest. Nodes that differ here only waste bytes. */
export const TURN_DEFAULTS: TurnLimits = {
  /** Twice what two honest clocks may differ by. */
  turnBaseMs: 2 * CLOCK_SKEW_MS,
  /** What one household may spend on others, as a relay grants those who give (user guide, 256 KB/s). */
  bytesPerSecond: 256 * KIB,
  /** Many tesseras lose the same holder; those who come first in many of them must not begin all at one moment. */
  turnJitterMs: 5 * 60_000,
};

/** What a turn depends on. */
export type TurnQuestion = {
  /** The tessera's key. */
  readonly key: NodeId;
  readonly self: NodeId;
  /** Holders that we take for alive, in any order. We count as one of them, whether named or not. */
  readonly live: readonly NodeId[];
  readonly packBytes: number;
  /** Since when we have known that something is missing. Kept over restarts, or found anew, which only delays us. */
  readonly needSinceMs: number;
  readonly nowMs: number;
};

/** A time in which to act. */
export type Turn = {
  /** How many live holders come before us. */
  readonly place: number;
  readonly beginsMs: number;
  /** From here on it is somebody else's: nothing new is begun, what is on its way arrives. */
  readonly endsMs: number;
};

/** How long a turn over a pack of so many bytes is. */
export function turnMs(
  packBytes: number,
  limits: TurnLimits = TURN_DEFAULTS,
): number {
  return limits.turnBaseMs +
    Math.ceil(packBytes / limits.bytesPerSecond * 1_000);
}

/** How many live holders come before one, and how many there are with it: nearest to the key first, each once. */
export function turnPlace(
  key: NodeId,
  self: NodeId,
  live: readonly NodeId[],
): { readonly place: number; readonly count: number } {
  const others = new Map(
    live.filter((id) => !equal(id, self)).map((id) => [keyOf(id), id]),
  );
  const place = others.values()
    .filter((id) => nearer(key, id, self) < 0).toArray().length;
  return { place, count: others.size + 1 };
}

/**
 * Our turn now or next. Turns follow each other from the first point of the schedule's
 * grid after the need was seen, which is the same for all who saw it in the same round; after the last it is the first's again.
 */
export function turnOf(
  question: TurnQuestion,
  limits: TurnLimits = TURN_DEFAULTS,
  pace: Pace = PACE_DEFAULTS,
): Turn {
  const { key, self, live, packBytes, needSinceMs, nowMs } = question;
  const { place, count } = turnPlace(key, self, live);
  const each = turnMs(packBytes, limits);
  const first = gridPointMs(key, needSinceMs, pace) + place * each;
  const cycle = count * each;
  // The turn that begins at `first` and has passed comes again a cycle later.
  const missed = Math.max(0, Math.floor((nowMs - first - each) / cycle) + 1);
  const beginsMs = first + missed * cycle;
  return { place, beginsMs, endsMs: beginsMs + each };
}

/** When to act within a turn. */
export function actAtMs(
  turn: Turn,
  random: Random,
  limits: TurnLimits = TURN_DEFAULTS,
): number {
  const room = Math.min(limits.turnJitterMs, turn.endsMs - turn.beginsMs);
  return turn.beginsMs + delayMs(room, random);
}

/** Whether something may be begun now: it is our turn, and it is not over. */
export function isTurn(turn: Turn, nowMs: number): boolean {
  return nowMs >= turn.beginsMs && nowMs < turn.endsMs;
}

/** Which of two is nearer to a key, as for sorting: the XOR metric (Kademlia 2.1). */
export function nearer(key: NodeId, a: NodeId, b: NodeId): number {
  for (let i = 0; i < key.length; i++) {
    const difference = (key[i]! ^ a[i]!) - (key[i]! ^ b[i]!);
    if (difference !== 0) return difference;
  }
  return 0;
}
