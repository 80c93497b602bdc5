/** Choosing peers for a newcomer: from many networks, offering different things, heard of lately. */
import type { Random } from "@tesseras/core";

/** What a choice is made by. */
export type Candidate = {
  /** The network it counts for; `undefined` for a peer that no network limits. */
  readonly subnet: string | undefined;
  /** What it offers, in any form that is equal for equal offers. */
  readonly offer: string;
  /** How long ago it was last heard of, in milliseconds. */
  readonly ageMs: number;
};

/** What a choice keeps to. */
export type SampleRules = {
  readonly count: number;
  /** Peers of one network; `undefined` where all are on one machine. */
  readonly perSubnetMax: number | undefined;
};

/** Peers heard of within one such time are equally fresh, and chance decides between them: else every newcomer would be sent to the same few. */
const FRESHNESS_MS = 10 * 60_000;

/**
 * Takes in turn the freshest peer of each kind of offer, passing over networks that have had their share.
 *
 * @example
 * ```ts
 * import { SeededRandom } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * const peer = { subnet: "192.0.2.0/24", offer: "store", ageMs: 0 };
 * const rules = { count: 9, perSubnetMax: 2 };
 * assertEquals(sample([peer, peer, peer], (p) => p, rules, new SeededRandom(1)).length, 2);
 * ```
 */
export function sample<T>(
  items: Iterable<T>,
  candidateOf: (item: T) => Candidate,
  rules: SampleRules,
  random: Random,
): T[] {
  const kinds = kindsOf(items, candidateOf, random);
  const perSubnet = new Map<string, number>();
  const chosen: T[] = [];
  while (kinds.length > 0 && chosen.length < rules.count) {
    const queue = kinds.shift()!;
    const next = nextOf(queue, perSubnet, rules.perSubnetMax);
    if (next === undefined) continue;
    chosen.push(next.item);
    kinds.push(queue);
  }
  return chosen;
}

type Waiting<T> = {
  readonly item: T;
  readonly candidate: Candidate;
  readonly drawn: number;
};

/** Candidates by what they offer, the next to be taken last in each; the order of kinds is by chance. */
function kindsOf<T>(
  items: Iterable<T>,
  candidateOf: (item: T) => Candidate,
  random: Random,
): Waiting<T>[][] {
  const kinds = new Map<string, Waiting<T>[]>();
  for (const item of items) {
    const candidate = candidateOf(item);
    const waiting = { item, candidate, drawn: random.below(DRAWS) };
    const kind = kinds.get(candidate.offer);
    if (kind === undefined) kinds.set(candidate.offer, [waiting]);
    else kind.push(waiting);
  }
  for (const kind of kinds.values()) {
    kind.sort((a, b) =>
      freshness(b.candidate) - freshness(a.candidate) || b.drawn - a.drawn
    );
  }
  return [...kinds.values()].map((kind) => ({ kind, at: random.below(DRAWS) }))
    .sort((a, b) => a.at - b.at).map(({ kind }) => kind);
}

/** Enough that two rarely draw the same. */
const DRAWS = 2 ** 30;

function freshness({ ageMs }: Candidate): number {
  return Math.floor(ageMs / FRESHNESS_MS);
}

/** Takes the next of a kind whose network has room; those before it will have none later either. */
function nextOf<T>(
  queue: Waiting<T>[],
  perSubnet: Map<string, number>,
  perSubnetMax = Infinity,
): Waiting<T> | undefined {
  for (;;) {
    const next = queue.pop();
    const subnet = next?.candidate.subnet;
    if (next === undefined || subnet === undefined) return next;
    const taken = perSubnet.get(subnet) ?? 0;
    if (taken >= perSubnetMax) continue;
    perSubnet.set(subnet, taken + 1);
    return next;
  }
}
