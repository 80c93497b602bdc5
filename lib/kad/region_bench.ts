/**
 * Regions in numbers: lookups of an hourly sweep beside one for every key, and how many keys an attacker with a tenth of all
 * identities denies, with the region asked and without: `deno run -A lib/kad/region_bench.ts`. Every lookup finds the true nearest.
 */
import { report } from "@tesseras/bench";
import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { shareOf, SizeEstimate } from "./estimate.ts";
import { minted, POW_BITS } from "./minted_for_tests.ts";
import {
  isCrowded,
  isWithin,
  keepersOf,
  placeOf,
  type Prefix,
  regionOf,
  type Surroundings,
} from "./region.ts";
import { Survey } from "./survey.ts";

const random = new SeededRandom(1);

function contact(prefix?: Prefix): Contact {
  return { id: minted(random, prefix), capabilities: 0 };
}

/** All of a network, sorted by id: whoever is nearest to a target lies in the smallest prefix around it with enough of them. */
class Everybody {
  readonly #sorted: readonly Contact[];

  constructor(all: readonly Contact[]) {
    this.#sorted = all.toSorted((a, b) => closer(ORIGIN, a.id, b.id));
  }

  nearest(target: NodeId): Contact[] {
    const place = placeOf(target, POW_BITS);
    let [low, high] = [0, this.#sorted.length];
    for (let length = POW_BITS + 1; length <= 160; length++) {
      const [from, to] = this.#within(place, length, low, high);
      if (to - from < BUCKET_PEERS_MAX) break;
      [low, high] = [from, to];
    }
    return this.#sorted.slice(low, high)
      .sort((a, b) => closer(target, a.id, b.id)).slice(0, BUCKET_PEERS_MAX);
  }

  /** Where the ids lie that begin with so many bits of a place. */
  #within(
    place: NodeId,
    length: number,
    low: number,
    high: number,
  ): [from: number, to: number] {
    const [at, mask] = [(length - 1) >> 3, 0x80 >> ((length - 1) & 7)];
    let [from, to] = [low, high];
    // Above the last bit all of them agree, so that bit alone divides them.
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#sorted[middle]!.id[at]! & mask) === 0) from = middle + 1;
      else to = middle;
    }
    return (place[at]! & mask) === 0 ? [low, from] : [from, high];
  }
}

const ORIGIN = nodeId(new Uint8Array(20));

function look(
  everybody: Everybody,
  region: Prefix,
  around: Surroundings,
  key?: NodeId,
): Survey<Contact> {
  const known = key && { target: key, closest: everybody.nearest(key) };
  const survey = new Survey<Contact>({
    ...around,
    region,
    random,
    ...(known && { known }),
  });
  for (let target = survey.next(); target; target = survey.next()) {
    survey.answered(target, everybody.nearest(target));
  }
  return survey;
}

/** Random lookups from which a node that has seen nothing else guesses the size. */
const VOICES = 5;

function guessOf(everybody: Everybody): number {
  const estimate = new SizeEstimate(POW_BITS);
  for (let at = 0; at < VOICES; at++) {
    const target = nodeId(random.bytes(20));
    const ids = everybody.nearest(target).map(({ id }) => id);
    estimate.observe({ target, ids, isEverybody: false, nowMs: 0 });
  }
  return estimate.size(0)!;
}

/** Lookups of one sweep over all keys, its guess of the size included, and how many of the true 20 nearest keep each key. */
function sweep(nodeCount: number, keyCount: number) {
  const everybody = new Everybody(
    Array.from({ length: nodeCount }, () => contact()),
  );
  const around = { size: guessOf(everybody), powBits: POW_BITS };
  const keys = Array.from({ length: keyCount }, () => nodeId(random.bytes(20)))
    .sort((a, b) => shareOf(a, POW_BITS) - shareOf(b, POW_BITS));
  let lookups = VOICES, regions = 0, messages = 0, checked = 0, right = 0;
  let survey: Survey<Contact> | undefined;
  let loads = new Map<string, number>();
  const send = (): void => {
    for (const load of loads.values()) messages += Math.ceil(load / 20);
    loads = new Map();
  };
  for (const [i, key] of keys.entries()) {
    if (!survey || !isWithin(survey.region, placeOf(key, POW_BITS))) {
      send();
      survey = look(everybody, regionOf(key, around), around);
      lookups += survey.lookupCount;
      regions++;
    }
    const keepers = keepersOf(key, survey.peers(), around).map(({ id }) =>
      keyOf(id)
    );
    for (const id of keepers) loads.set(id, (loads.get(id) ?? 0) + 1);
    if (i % 97 !== 0) continue;
    const there = new Set(keepers);
    for (const { id } of everybody.nearest(key)) {
      checked++;
      if (there.has(keyOf(id))) right++;
    }
  }
  send();
  return { lookups, regions, messages, right: right / checked };
}

function benchSweep(): void {
  const keyCount = 100_000;
  for (const nodeCount of [2_000, 10_000, 50_000]) {
    const { lookups, regions, messages, right } = sweep(nodeCount, keyCount);
    const of = `for ${keyCount} keys among ${nodeCount} nodes`;
    report(
      { name: `lookups of a sweep ${of}`, value: lookups },
      "lookups",
      { name: "one for every key", value: keyCount },
    );
    report(
      { name: `lookups for a region ${of}`, value: lookups / regions },
      "lookups",
      {
        name: "nodes expected in it, by twenties",
        value: nodeCount / regions / 20,
      },
    );
    report(
      { name: `store messages of a sweep ${of}`, value: messages },
      "messages",
      { name: "one for every key and keeper", value: keyCount * 20 },
    );
    report(
      { name: `of the true 20 nearest that keep a key ${of}`, value: right },
      "share",
      { name: "all", value: 1 },
    );
  }
}

/** Where an attacker puts the identities it has ground. */
type Placement = {
  readonly name: string;
  readonly count: number;
  /** Bits of the key, beyond those of its region, that they begin with. */
  readonly bits: (at: number) => number;
};

const PLACEMENTS: readonly Placement[] = [
  { name: "20 next to the key", count: 20, bits: () => 14 },
  { name: "1,000 next to the key", count: 1_000, bits: () => 14 },
  { name: "1,000 over its region", count: 1_000, bits: () => 0 },
  {
    name: "1,000 in its region, half of them in the nearest eighth",
    count: 1_000,
    bits: (at) => at % 2 === 0 ? 3 : 0,
  },
];

/** The share of keys of which a reader finds no record that an independent publisher stored, asking the nearest alone or the region. */
function denied(
  honest: readonly Contact[],
  size: number,
  { count, bits }: Placement,
  trials: number,
): { readonly plain: number; readonly aware: number } {
  const around = { size, powBits: POW_BITS };
  let plain = 0, aware = 0;
  for (let i = 0; i < trials; i++) {
    const key = placeOf(nodeId(random.bytes(20)), POW_BITS);
    const region = regionOf(key, around);
    const there = honest.filter(({ id }) => isWithin(region, id));
    const ground = Array.from(
      { length: count },
      (_, at) => contact({ bits: key, length: region.length + bits(at) }),
    );
    const bad = new Set(ground.map(({ id }) => keyOf(id)));
    const everybody = new Everybody([...there, ...ground]);
    const nearest = everybody.nearest(key);
    const isGood = ({ id }: Contact) => !bad.has(keyOf(id));
    if (!nearest.some(isGood)) plain++;
    const keepers = () =>
      isCrowded(key, nearest.map(({ id }) => id), around)
        ? keepersOf(key, look(everybody, region, around, key).peers(), around)
        : nearest;
    const stored = new Set(keepers().filter(isGood).map(({ id }) => keyOf(id)));
    if (!keepers().some(({ id }) => stored.has(keyOf(id)))) aware++;
  }
  return { plain: plain / trials, aware: aware / trials };
}

function benchDenial(): void {
  const honest = Array.from({ length: 9_000 }, () => contact());
  for (const placement of PLACEMENTS) {
    const { plain, aware } = denied(honest, 10_000, placement, 500);
    report(
      {
        name: `keys denied among 9,000 by ${placement.name}`,
        value: aware,
      },
      "share",
      { name: "trusting the 20 nearest", value: plain },
    );
  }
}

/** How often chance is taken for a crowd, with the size as an estimate of five lookups gives it. */
function benchChance(): void {
  const everybody = new Everybody(
    Array.from({ length: 10_000 }, () => contact()),
  );
  let crowds = 0;
  let size = 0;
  const trials = 20_000;
  for (let i = 0; i < trials; i++) {
    // One guess of the size serves a hundred keys, as it would a node.
    if (i % 100 === 0) size = guessOf(everybody);
    const key = nodeId(random.bytes(20));
    const ids = everybody.nearest(key).map(({ id }) => id);
    if (isCrowded(key, ids, { size, powBits: POW_BITS })) crowds++;
  }
  report(
    {
      name: "neighbourhoods by chance taken for crowds",
      value: crowds / trials,
    },
    "share",
    { name: "reckoned with the size known exactly", value: 0.00025 },
  );
}

benchSweep();
benchDenial();
benchChance();
