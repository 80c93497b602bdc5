/**
 * Lookups among ten thousand nodes that stand still, over three paths that share nobody and over Kademlia's one:
 * `deno run -A lib/kad/paths_bench.ts`. Round trips are 20 to 250 ms, drawn for each pair.
 */
import {
  compare,
  keyOf,
  type NodeId,
  nodeId,
  SeededRandom,
} from "@tesseras/core";
import { BUCKET_PEERS_MAX, QUERY_LATE_MS } from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { Lookup } from "./lookup.ts";
import { Paths } from "./paths.ts";
import { Table } from "./table.ts";

const NODES = 10_000;
const LOOKUPS = 300;
const RTT_MS = [20, 250] as const;
const K = BUCKET_PEERS_MAX;

const random = new SeededRandom(1);
const nodes = Array.from({ length: NODES }, (): Contact => ({
  id: nodeId(random.bytes(20)),
  capabilities: 0,
})).sort((a, b) => compare(a.id, b.id));
const indexOf = new Map(nodes.map(({ id }, i) => [keyOf(id), i]));
const tables = nodes.map(tableOf);

/** The table of a node that has met everybody: k of each half of the space that it is not in, of the half of that, and so on. */
function tableOf({ id }: Contact): Table<Contact> {
  const table = new Table<Contact>(id);
  let low = 0, high = NODES;
  for (let bit = 0; bit < 160 && high - low > 1; bit++) {
    const middle = firstWith(bit, low, high);
    const isUpper = (id[bit >> 3]! >> (7 - (bit & 7)) & 1) === 1;
    const [from, to] = isUpper ? [low, middle] : [middle, high];
    const met = new Set<number>();
    while (met.size < Math.min(K, to - from)) {
      met.add(from + random.below(to - from));
    }
    for (const index of met) table.observe(nodes[index]!, 0);
    [low, high] = isUpper ? [middle, high] : [low, middle];
  }
  return table;
}

/** The first node from `low` on whose id has a bit set; all share the bits above it. */
function firstWith(bit: number, low: number, high: number): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    const isSet = nodes[middle]!.id[bit >> 3]! >> (7 - (bit & 7)) & 1;
    if (isSet === 1) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The same for both directions, and for every run. */
function rttMs(a: number, b: number): number {
  const seed = Math.min(a, b) * NODES + Math.max(a, b);
  const drawn = new SeededRandom(seed).below(1_000_000) / 1_000_000;
  return RTT_MS[0] + (RTT_MS[1] - RTT_MS[0]) * drawn;
}

type Seeded = { readonly target: NodeId; readonly seeds: readonly Contact[] };
type Way =
  & Pick<
    Paths<Contact>,
    "next" | "answered" | "late" | "done" | "onlyLate" | "closest" | "hops"
  >
  & { readonly trace: readonly { readonly id: NodeId }[] };

const overThree = (start: Seeded): Way => new Paths(start);
const overOne = (start: Seeded): Way => new Lookup(start);

type Run = {
  readonly way: Way;
  readonly tookMs: number;
  readonly most: number;
};

/** Runs a lookup on a clock of its own. */
function run(
  way: Way,
  from: number,
  answer: (asked: number) => readonly Contact[],
): Run {
  const due: { atMs: number; readonly act: () => void }[] = [];
  let nowMs = 0, inFlight = 0, most = 0;
  const after = (ms: number, act: () => void): void => {
    let at = due.length;
    while (at > 0 && due[at - 1]!.atMs < nowMs + ms) at--;
    due.splice(at, 0, { atMs: nowMs + ms, act });
  };
  const step = (): void => {
    for (const { id } of way.next()) {
      const asked = indexOf.get(keyOf(id))!;
      most = Math.max(most, ++inFlight);
      after(rttMs(from, asked), () => {
        inFlight--;
        way.answered(id, answer(asked));
        step();
      });
      after(QUERY_LATE_MS, () => way.late(id));
    }
  };
  step();
  while (!way.done && due.length > 0) {
    const next = due.pop()!;
    nowMs = next.atMs;
    next.act();
  }
  return { way, tookMs: nowMs, most };
}

/** The same lookups one way and another. */
function runAll(
  make: (start: Seeded) => Way,
  answerAs: (target: NodeId) => (asked: number) => readonly Contact[],
): readonly (Run & { readonly target: NodeId })[] {
  const drawn = new SeededRandom(3);
  return Array.from({ length: LOOKUPS }, () => {
    const target = nodeId(drawn.bytes(20));
    const from = drawn.below(NODES);
    const seeds = tables[from]!.closest(target, 3 * K);
    return { ...run(make({ target, seeds }), from, answerAs(target)), target };
  });
}

const honestly = (target: NodeId) => (asked: number) =>
  tables[asked]!.closest(target, K);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

type Figure = { readonly name: string; readonly value: number };

function report(figure: Figure, unit: string, reference: Figure): void {
  const ratio = Number((figure.value / reference.value).toPrecision(3));
  console.log(JSON.stringify({ ...figure, unit, reference, ratio }));
}

function benchCost(): void {
  const sample = new SeededRandom(7);
  const trips = Array.from(
    { length: 2_000 },
    () => rttMs(sample.below(NODES), sample.below(NODES)),
  );
  const three = runAll(overThree, honestly);
  const one = runAll(overOne, honestly);
  const inTrips = (runs: readonly Run[]): number =>
    Number((median(runs.map(({ tookMs }) => tookMs)) / median(trips))
      .toFixed(2));
  report(
    { name: "median lookup time over three paths", value: inTrips(three) },
    "median round trips",
    { name: "one path, three questions at once", value: inTrips(one) },
  );
  report(
    {
      name: "median questions of a lookup over three paths",
      value: median(three.map(({ way }) => way.trace.length)),
    },
    "questions",
    {
      name: "one path",
      value: median(one.map(({ way }) => way.trace.length)),
    },
  );
  report(
    {
      name: "median hops among 10,000 nodes",
      value: median(three.map(({ way }) => way.hops)),
    },
    "hops",
    { name: "half of log2(10,000)", value: Math.log2(NODES) / 2 },
  );
  report(
    {
      name: "most questions in flight over three paths",
      value: Math.max(...three.map(({ most }) => most)),
    },
    "questions",
    { name: "one path", value: Math.max(...one.map(({ most }) => most)) },
  );
  const exact =
    three.filter(({ way, target }) =>
      way.closest()[0] === nearestOf(nodes, target)
    ).length;
  report(
    { name: "lookups that find the nearest node", value: exact / LOOKUPS },
    "share",
    { name: "all", value: 1 },
  );
}

/** Liars who know each other and name nobody else; a lookup succeeds when it reaches the nearest honest node. */
function benchPoison(liarShare: number): void {
  const isLiar = (index: number): boolean => index % 100 < 100 * liarShare;
  const liars = nodes.filter((_, i) => isLiar(i));
  const honest = nodes.filter((_, i) => !isLiar(i));
  const answerAs = (target: NodeId) => {
    const named = liars.toSorted((a, b) => closer(target, a.id, b.id))
      .slice(0, K);
    return (asked: number) =>
      isLiar(asked) ? named : tables[asked]!.closest(target, K);
  };
  const denied = (make: (start: Seeded) => Way): number =>
    runAll(make, answerAs).filter(({ way, target }) => {
      const key = keyOf(nearestOf(honest, target).id);
      return !way.trace.some(({ id }) => keyOf(id) === key);
    }).length / LOOKUPS;
  report(
    {
      name: `lookups denied by ${100 * liarShare} % liars who name only liars`,
      value: denied(overThree),
    },
    "share",
    { name: "the same over one path", value: denied(overOne) },
  );
}

function nearestOf(some: readonly Contact[], target: NodeId): Contact {
  return some.reduce((best, one) =>
    closer(target, one.id, best.id) < 0 ? one : best
  );
}

function benchSpeed(): void {
  const drawn = new SeededRandom(9);
  const perSecond = (make: (start: Seeded) => Way): number => {
    const startMs = performance.now();
    let count = 0;
    for (; performance.now() - startMs < 500; count++) {
      const target = nodeId(drawn.bytes(20));
      const seeds = tables[drawn.below(NODES)]!.closest(target, 3 * K);
      const way = make({ target, seeds });
      while (!way.done) {
        for (const { id } of way.next()) {
          way.answered(id, honestly(target)(indexOf.get(keyOf(id))!));
        }
      }
    }
    return Math.round(count / (performance.now() - startMs) * 1_000);
  };
  perSecond(overThree);
  report(
    {
      name: "lookups over three paths, decisions alone",
      value: perSecond(overThree),
    },
    "lookups/s",
    { name: "one path", value: perSecond(overOne) },
  );
}

benchCost();
for (const liarShare of [0.1, 0.2, 0.3]) benchPoison(liarShare);
benchSpeed();
