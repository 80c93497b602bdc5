/** Which relay two peers meet at: a near one with room, and not the one that everybody else picks. */
import type { Random } from "@tesseras/core";
import { RELAY_SESSIONS_MAX } from "@tesseras/core/limits";

/** A relay as its record and our pings describe it. */
export type RelayCandidate = {
  /** Its id as text. */
  readonly id: string;
  /** Its /24 or /48. */
  readonly subnet: string;
  /** A round trip to it, measured from here; `undefined` when nobody has measured yet. */
  readonly rttMs: number | undefined;
  /** Sessions it says it would still take. */
  readonly freeSlots: number;
  /** What it says it forwards for one session. */
  readonly kilobytesPerSecond: number;
};

/** What is asked of a relay. */
export type RelayWish = {
  /** Ids of those that failed, refused or are draining. */
  readonly avoid: ReadonlySet<string>;
  /** How many to name, the one to ask first in front. */
  readonly countMax: number;
};

/** A relay nobody has measured is taken for one on another continent: behind every near one, before none at all. */
const RTT_UNKNOWN_MS = 300;
/** Relays so much farther than the nearest are as good: the difference drowns in what lies between either peer and them. */
const NEAR_SHARE = 1.5;
/** And so many milliseconds. */
const NEAR_MS = 20;
/** Below this rate a relay is asked only when no other is there. */
const KILOBYTES_PER_SECOND_MIN = 32;

/**
 * Relays in the order they are asked. Among the near ones the draw is by free slots, so that load spreads and no herd runs from one to the
 * next; a claim beyond `RELAY_SESSIONS_MAX` counts as that, so that boasting buys little. Each next one is of another subnet as long as
 * there is one, because what takes one relay away takes its neighbours along.
 */
export function chooseRelays(
  candidates: readonly RelayCandidate[],
  { avoid, countMax }: RelayWish,
  random: Random,
): readonly RelayCandidate[] {
  const left = candidates.filter(({ id, freeSlots }) =>
    freeSlots > 0 && !avoid.has(id)
  );
  const chosen: RelayCandidate[] = [];
  while (left.length > 0 && chosen.length < countMax) {
    const next = draw(nearest(preferred(left, chosen)), random);
    chosen.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return chosen;
}

/** Those of subnets not chosen yet and with a useful rate, as far as there are any. */
function preferred(
  left: readonly RelayCandidate[],
  chosen: readonly RelayCandidate[],
): readonly RelayCandidate[] {
  const taken = new Set(chosen.map(({ subnet }) => subnet));
  const apart = left.filter(({ subnet }) => !taken.has(subnet));
  const pool = apart.length > 0 ? apart : left;
  const useful = pool.filter(({ kilobytesPerSecond }) =>
    kilobytesPerSecond >= KILOBYTES_PER_SECOND_MIN
  );
  return useful.length > 0 ? useful : pool;
}

function nearest(
  pool: readonly RelayCandidate[],
): readonly RelayCandidate[] {
  const leastMs = Math.min(...pool.map(rttOf));
  return pool.filter((relay) => rttOf(relay) <= leastMs * NEAR_SHARE + NEAR_MS);
}

function draw(pool: readonly RelayCandidate[], random: Random): RelayCandidate {
  const weights = pool.map(({ freeSlots }) =>
    Math.min(Math.ceil(freeSlots), RELAY_SESSIONS_MAX)
  );
  let at = random.below(weights.reduce((sum, weight) => sum + weight, 0));
  const index = weights.findIndex((weight) => (at -= weight) < 0);
  return pool[index]!;
}

function rttOf({ rttMs }: RelayCandidate): number {
  return rttMs === undefined ? RTT_UNKNOWN_MS : Math.max(0, rttMs);
}
