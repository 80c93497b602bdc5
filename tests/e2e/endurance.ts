/**
 * Tesseras of every tier that outlive their owner and, wave after wave, those who keep them: what was published, who died, when
 * everything was whole again and what that took, and every byte at the end on a node that has never seen any of it.
 */
import { join } from "node:path";
import {
  type Hash,
  mapBounded,
  parseHash,
  type SeededRandom,
  shuffled,
  TesserasError,
} from "@tesseras/core";
import { GIB, MIB } from "@tesseras/core/limits";
import { compareExport } from "@tesseras/ops/compare";
import { type ChildInfo, Cluster } from "@tesseras/ops/cluster";
import { repairAfterLosses } from "@tesseras/preservation";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { bearable, lostWith } from "../removal.ts";
import { type Created, type Published, tesJson } from "./commands.ts";
import { makeFolder } from "./folder.ts";
import { TrafficBook } from "./repair_traffic.ts";
import { type Kept, Witness } from "./witness.ts";

/** The three ways in which a tessera is kept, and bytes of a folder for each. */
export const TIERS = {
  copies: { bytes: 200_000, coding: [1, 6] },
  medium: { bytes: 5 * MIB, coding: [16, 8] },
  large: { bytes: 257 * MIB, coding: [48, 24] },
} as const;

/** A tier by name. */
export type TierName = keyof typeof TIERS;

/** What is to be endured. */
export type EnduranceOptions = {
  readonly tesseras: Readonly<Record<TierName, number>>;
  readonly stores: number;
  readonly waves: number;
  /** The share of what a tessera tolerates that a wave may take of it. */
  readonly share: number;
  /** What is a day to the holders, 10 s at least. */
  readonly intervalSeconds: number;
};

/** What became of it. */
export type Endured = {
  readonly published: Readonly<Record<TierName, number>>;
  readonly publishedBytes: number;
  readonly publishSeconds: number;
  readonly waves: readonly Wave[];
  readonly fetchedTesseras: number;
  readonly comparedBytes: number;
  readonly fetchSeconds: number;
};

/** One removal, and what the holders made of it. */
export type Wave = {
  /** Killed and never started again. */
  readonly removed: readonly string[];
  /** Fragments that went with them: of the tessera of each tier that lost fewest, and of the one that lost most. */
  readonly lost: Readonly<Partial<Record<TierName, readonly number[]>>>;
  readonly lostBytes: number;
  /** From the removal until no tessera missed as many fragments as repair begins at. */
  readonly healthySeconds: number;
  readonly placedFragments: number;
  readonly fetchedBytes: number;
  readonly sentBytes: number;
  readonly movedPerLostByte: number;
};

type Say = (line: string) => void;

/** A tessera under test. */
type Subject = {
  readonly tier: TierName;
  readonly folder: string;
  readonly created: Created;
  readonly plan: Hash;
  readonly dataCount: number;
  readonly parityCount: number;
  readonly packBytes: number;
};

/** What `tes publish` tells beside. */
type Packed = { readonly packBytes: number };

/** What a scenario works with. */
type Stage = {
  readonly dir: string;
  readonly cluster: Cluster;
  readonly witness: Witness;
  readonly options: EnduranceOptions;
  readonly random: SeededRandom;
  readonly say: Say;
  readonly signal: AbortSignal;
  readonly traffic: TrafficBook;
  readonly settings: Readonly<Record<string, string>>;
};

/** The process of the owner. */
const OWNER = "node-1";
/** Commands of `tes` at once, and processes that start: each is work for the processor. */
const COMMANDS_PARALLEL = 2;
const STARTS_PARALLEL = 4;
/** Days of the holders until a wave must be over: four are forgiven, the rest is work. */
const PATIENCE_DAYS = 30;
const PATIENCE_MS_MIN = 240_000;
const LOOK_MS = 1_000;

/** Publishes, removes, waits, removes again, and fetches everything. @throws when a byte is missing, or repair takes for ever */
export async function endure(
  options: EnduranceOptions,
  random: SeededRandom,
  say: Say,
  signal: AbortSignal,
): Promise<Endured> {
  const dir = await Deno.makeTempDir({ prefix: "tesseras_endurance_" });
  await using stack = new AsyncDisposableStack();
  let isOver = false;
  stack.defer(async () => {
    if (isOver) await Deno.remove(dir, { recursive: true });
    else say(`what is left of it, and every log, lies in ${dir}`);
  });
  const settings = settingsOf(options);
  const shape = { bootstrap: 1, dht: 1, store: options.stores, node: 1 };
  const cluster = stack.use(
    await Cluster.start(
      join(dir, "cluster"),
      { ...shape, settings },
      () => {},
      signal,
    ),
  );
  const witness = stack.use(await Witness.open(signal));
  const traffic = new TrafficBook();
  const given = { dir, cluster, witness, traffic, settings };
  const stage: Stage = { ...given, options, random, say, signal };
  const startMs = performance.now();
  const subjects = await publishAll(stage);
  const publishSeconds = secondsSince(startMs);
  const publishedBytes = subjects.reduce(
    (sum, { packBytes }) => sum + packBytes,
    0,
  );
  say(
    `published ${subjects.length} tesseras of ${publishedBytes} bytes in ${publishSeconds} s`,
  );
  const waves: Wave[] = [];
  for (let at = 0; at < options.waves; at++) {
    waves.push(await pass(stage, subjects, at));
  }
  const fetched = await fetchAll(stage, subjects);
  isOver = true;
  return {
    published: options.tesseras,
    publishedBytes,
    publishSeconds,
    waves,
    fetchedTesseras: subjects.length,
    ...fetched,
  };
}

function settingsOf({ intervalSeconds }: EnduranceOptions) {
  const jitterSeconds = Math.ceil(intervalSeconds / 12);
  return {
    TESSERAS_REPLICATION_REPAIR_INTERVAL_SECS: `${intervalSeconds}`,
    TESSERAS_REPLICATION_REPAIR_JITTER_SECS: `${jitterSeconds}`,
    // No household's line, and nobody's disk.
    TESSERAS_REPLICATION_REPAIR_BANDWIDTH: `${256 * MIB}`,
    TESSERAS_REPLICATION_MIN_FREE_SPACE_BYTES: "0",
    // All of it is one owner's, who gives nothing back.
    TESSERAS_REPLICATION_DEFICIT_ALLOWANCE_BYTES: `${4 * GIB}`,
    TESSERAS_REPLICATION_PER_PEER_LIMIT_BYTES: `${4 * GIB}`,
  };
}

async function publishAll(stage: Stage): Promise<readonly Subject[]> {
  const { options, random, signal } = stage;
  const home = infoOf(stage, OWNER).dataDir;
  await tesJson(home, ["init"]);
  const wanted = (Object.keys(TIERS) as TierName[]).flatMap((tier) =>
    Array.from({ length: options.tesseras[tier] }, () => tier)
  );
  return await mapBounded(
    wanted.map((tier, at) => ({ tier, at, lot: random.fork() })),
    COMMANDS_PARALLEL,
    async ({ tier, at, lot }) => {
      const folder = join(stage.dir, `folder-${at}`);
      await makeFolder(folder, TIERS[tier].bytes, lot);
      const args = ["create", folder, "--title", `A ${tier} one`];
      const created = await tesJson<Created>(home, args);
      const published = await tesJson<Published & Packed>(
        home,
        ["publish", created.hash],
      );
      const { dataCount, parityCount, packBytes, unplaced } = published;
      assertEquals(unplaced, []);
      assertEquals([dataCount, parityCount], [...TIERS[tier].coding]);
      const plan = parseHash(published.plan);
      return { tier, folder, created, plan, dataCount, parityCount, packBytes };
    },
    signal,
  );
}

/** One wave: lets as many newcomers in as it removes, and waits until they have what the others had. */
async function pass(
  stage: Stage,
  subjects: readonly Subject[],
  at: number,
): Promise<Wave> {
  const { cluster, witness, traffic, say, signal } = stage;
  const plans = subjects.map(({ plan }) => plan);
  const kept = await witness.census(holdersOf(stage), plans, signal);
  const removed = choose(stage, subjects, kept);
  const losses = kept.map((one) => lostWith(one, new Set(removed)));
  await welcome(stage, removed.map((_, i) => `newcomer-${at + 1}-${i + 1}`));
  const before = await traffic.of(cluster.infos);
  const startMs = performance.now();
  // The owner goes with the first.
  if (at === 0) await bury(stage, OWNER);
  for (const name of removed) await bury(stage, name);
  const lost = rangesOf(subjects, losses);
  say(
    `wave ${at + 1}: ${removed.join(", ")} are gone for good with ${
      JSON.stringify(lost)
    } fragments`,
  );
  await untilHealthy(stage, subjects);
  const healthySeconds = secondsSince(startMs);
  const after = await traffic.of(cluster.infos);
  const lostBytes = subjects.reduce(
    (sum, { packBytes, dataCount }, i) =>
      sum + losses[i]! * packBytes / dataCount,
    0,
  );
  const fetchedBytes = after.fetched - before.fetched;
  const sentBytes = after.sent - before.sent;
  const movedPerLostByte = (fetchedBytes + sentBytes) / lostBytes;
  say(
    `wave ${at + 1}: healthy after ${healthySeconds} s, ${
      movedPerLostByte.toFixed(2)
    } bytes moved for each lost`,
  );
  return {
    removed: at === 0 ? [OWNER, ...removed] : removed,
    lost,
    lostBytes: Math.round(lostBytes),
    healthySeconds,
    placedFragments: after.placed - before.placed,
    fetchedBytes,
    sentBytes,
    movedPerLostByte: Number(movedPerLostByte.toPrecision(4)),
  };
}

async function welcome(
  { cluster, settings, signal }: Stage,
  names: readonly string[],
): Promise<void> {
  await mapBounded(names, STARTS_PARALLEL, async (name, laneSignal) => {
    const dataDir = join(cluster.dir, name);
    const spec = { name, role: "store", dataDir, settings } as const;
    await cluster.add(spec, laneSignal);
  }, signal);
}

/** Those who keep most first, each as long as no tessera loses more than its share of what it tolerates. */
function choose(
  { options, random, cluster }: Stage,
  subjects: readonly Subject[],
  kept: readonly Kept[],
): readonly string[] {
  const load = (name: string): number =>
    kept.filter((one) => one.has(name)).length;
  const stores = cluster.infos.filter(({ role }) => role === "store");
  const drawn = shuffled(stores, random).map(({ name }) => name)
    .toSorted((a, b) => load(b) - load(a));
  const dying = bearable(
    drawn,
    subjects.map(({ parityCount }, i) => ({
      kept: kept[i]!,
      lossMax: Math.floor(parityCount * options.share),
    })),
  );
  assertTrue(dying.size > 0, "somebody may go");
  return [...dying];
}

function rangesOf(
  subjects: readonly Subject[],
  losses: readonly number[],
): Wave["lost"] {
  const byTier = Map.groupBy(losses.keys(), (i) => subjects[i]!.tier);
  return Object.fromEntries(
    [...byTier].map(([tier, at]) => {
      const counts = at.map((i) => losses[i]!);
      return [tier, [Math.min(...counts), Math.max(...counts)]];
    }),
  );
}

/** Waits until no tessera misses as much as repair begins at. @throws `timeout` */
async function untilHealthy(
  stage: Stage,
  subjects: readonly Subject[],
): Promise<void> {
  const { witness, options, signal } = stage;
  const patienceMs = Math.max(
    PATIENCE_MS_MIN,
    PATIENCE_DAYS * options.intervalSeconds * 1_000,
  );
  const endMs = performance.now() + patienceMs;
  for (let waiting = subjects;;) {
    const plans = waiting.map(({ plan }) => plan);
    const kept = await witness.census(holdersOf(stage), plans, signal);
    const missing = waiting.map(({ dataCount, parityCount }, i) =>
      dataCount + parityCount -
      new Set([...kept[i]!.values()].flat()).size
    );
    waiting = waiting.filter((one, i) => missing[i]! >= repairAfterLosses(one));
    if (waiting.length === 0) return;
    if (performance.now() > endMs) {
      const still = waiting.map(({ tier, created }) =>
        `${tier} ${created.hash}`
      );
      throw new TesserasError(
        "timeout",
        `Cannot see it repaired within ${patienceMs} ms: ${still.join(", ")}`,
      );
    }
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
  }
}

/** A new node fetches everything; every byte is compared with the folder it came from. */
async function fetchAll(
  stage: Stage,
  subjects: readonly Subject[],
): Promise<Pick<Endured, "comparedBytes" | "fetchSeconds">> {
  const { cluster, dir, say, signal } = stage;
  const name = "reader";
  const dataDir = join(cluster.dir, name);
  await cluster.add(
    { name, role: "node", dataDir, settings: stage.settings },
    signal,
  );
  const startMs = performance.now();
  const compared = await mapBounded(
    subjects,
    COMMANDS_PARALLEL,
    async ({ created, folder }) => {
      await tesJson(dataDir, ["fetch", created.hash]);
      const target = await Deno.makeTempDir({ dir });
      const exported = await tesJson<{ path: string }>(
        dataDir,
        ["export", created.hash, target],
      );
      const report = await compareExport(
        folder,
        exported.path,
        created.memories,
      );
      assertEquals(report.differences, []);
      await Deno.remove(target, { recursive: true });
      return report.comparedBytes;
    },
    signal,
  );
  const comparedBytes = compared.reduce((sum, bytes) => sum + bytes, 0);
  const fetchSeconds = secondsSince(startMs);
  say(`every one of ${comparedBytes} bytes is back in ${fetchSeconds} s`);
  return { comparedBytes, fetchSeconds };
}

/** Kills somebody for good, with all they had. */
async function bury(stage: Stage, name: string): Promise<void> {
  const info = infoOf(stage, name);
  await stage.traffic.bury(info);
  await stage.cluster.crash(name);
  await Deno.remove(info.dataDir, { recursive: true });
}

/** The processes that may keep something: what nobody else has. */
function holdersOf({ cluster }: Stage): readonly ChildInfo[] {
  return cluster.infos.filter(({ role }) => role === "store");
}

function infoOf({ cluster }: Stage, name: string): ChildInfo {
  const info = cluster.infos.find((one) => one.name === name);
  assertTrue(info !== undefined, `${name} runs`);
  return info;
}

function secondsSince(startMs: number): number {
  return Math.round((performance.now() - startMs) / 100) / 10;
}
