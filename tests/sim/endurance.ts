/**
 * Tesseras of every tier whose holders die for good, half of what each tolerates at a time, again and again: real nodes with all
 * their roles on a simulated network, whose days are half an hour long.
 */
import { shuffled } from "@tesseras/core";
import { join, refreshForever } from "@tesseras/node";
import { repairAfterLosses } from "@tesseras/preservation";
import type { Plan } from "@tesseras/tessera";
import { assertTrue } from "@tesseras/testing";
import { bearable } from "../removal.ts";
import {
  aliveCount,
  care,
  copyCount,
  counted,
  DAY_MS,
  fetchAt,
  keptBy,
  publishAt,
  until,
} from "./caring.ts";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

/** The three ways in which a tessera is kept, and the length of a text for each. */
export const TIERS = {
  copies: 2_000,
  medium: 4_300_000,
  large: 257 * 1024 * 1024,
} as const;

/** A tier by name. */
export type TierName = keyof typeof TIERS;

/** What is to be endured. */
export type EnduranceOptions = {
  readonly seed: number;
  readonly tesseras: Readonly<Record<TierName, number>>;
  readonly stores: number;
  /** How often half of what is tolerated goes, at most. */
  readonly rounds: number;
  /** Asked before each round but the first; `true` ends it there. */
  readonly isOver?: () => boolean;
};

/** What became of it. */
export type Endured = {
  readonly rounds: number;
  readonly removed: number;
  /** Fragments that went with them, each as often as it was lost. */
  readonly lostFragments: number;
  readonly lostBytes: number;
  readonly placedFragments: number;
  readonly fetchedBytes: number;
  readonly sentBytes: number;
  readonly movedPerLostByte: number;
  /** Fragments that could still have gone, at the worst moment of the unluckiest tessera of each tier. */
  readonly worstMargin: Readonly<Partial<Record<TierName, number>>>;
  /** From a removal until nothing missed as many as repair begins at: on average, and at worst. */
  readonly healthyDaysMean: number;
  readonly healthyDaysMax: number;
  readonly simulatedDays: number;
  /** Bytes kept for each byte of coded tesseras, at the end. */
  readonly expansion: number;
  readonly verifiedTesseras: number;
};

type Subject = {
  readonly tier: TierName;
  readonly id: Plan["tesseraId"];
  readonly plan: Plan;
};

/** Days until a round must be over: a day and a half are forgiven, turns take hours. */
const PATIENCE_DAYS = 30;

/** Lets it happen. Tells of each round. @throws when a tessera is lost, or not repaired within a month */
export async function endure(
  options: EnduranceOptions,
  say: (line: string) => void,
): Promise<Endured> {
  const { seed, tesseras, stores, rounds, isOver = () => false } = options;
  const world = new World(seed);
  await using _world = world;
  for (const one of await world.grow(1, ["bootstrap"])) refresh(one);
  for (const one of await world.grow(2, ["dht"])) refresh(one);
  for (const one of await world.grow(stores, ["store"])) live(one);
  const subjects = await publishAll(world, tesseras);
  const startMs = world.clock.nowMs();
  const days: number[] = [];
  const worst = new Map<TierName, number>();
  let [removed, lostFragments, lostBytes] = [0, 0, 0];
  for (let round = 1; round <= rounds; round++) {
    if (round > 1 && isOver()) break;
    const dying = await choose(world, subjects);
    for (const { plan } of subjects) {
      const lost = await aliveCount(world, plan) -
        await aliveCount(world, plan, dying);
      lostFragments += lost;
      lostBytes += lost * plan.shardBytes;
    }
    for (const one of dying) world.crash(one);
    removed += dying.size;
    await noteMargins(world, subjects, worst);
    const newcomers = await world.grow(dying.size, ["store"]);
    for (const one of newcomers) live(one);
    const beganMs = world.clock.nowMs();
    const isWhole = () => isHealthy(world, subjects);
    assertTrue(
      await until(world, PATIENCE_DAYS, isWhole),
      `repaired after round ${round}`,
    );
    days.push((world.clock.nowMs() - beganMs) / DAY_MS);
    say(
      `round ${round}: ${dying.size} of ${stores} gone for good, healthy after ${
        days.at(-1)!.toFixed(1)
      } days`,
    );
  }
  const simulatedDays = (world.clock.nowMs() - startMs) / DAY_MS;
  const fetchedBytes = counted(world, "repair.fetched_bytes");
  const sentBytes = counted(world, "repair.sent_bytes");
  return {
    rounds: days.length,
    removed,
    lostFragments,
    lostBytes,
    placedFragments: counted(world, "repair.placed"),
    fetchedBytes,
    sentBytes,
    movedPerLostByte: rounded((fetchedBytes + sentBytes) / lostBytes),
    worstMargin: Object.fromEntries(worst),
    healthyDaysMean: rounded(days.reduce((a, b) => a + b, 0) / days.length),
    healthyDaysMax: rounded(Math.max(...days)),
    simulatedDays: rounded(simulatedDays),
    expansion: await expansionOf(world, subjects),
    verifiedTesseras: await fetchAll(world, subjects),
  };
}

/** A table forgets the dead by asking: without that a bootstrap node sends newcomers to them, and nobody finds who came last. */
function refresh({ node }: Inhabitant): void {
  node.spawn((signal) => refreshForever(node, DAY_MS / 24, signal));
}

/** A store as a daemon has it. */
function live(one: Inhabitant): void {
  refresh(one);
  care(one);
}

/** The owner publishes everything, and is never heard of again. */
async function publishAll(
  world: World,
  tesseras: EnduranceOptions["tesseras"],
): Promise<readonly Subject[]> {
  const [home] = await world.grow(1, []);
  const subjects: Subject[] = [];
  for (const tier of Object.keys(TIERS) as TierName[]) {
    for (let at = 0; at < tesseras[tier]; at++) {
      const keys = creator(subjects.length);
      const { id, plan } = await keep(home!, keys, TIERS[tier]);
      await world.run(publishAt(home!, plan));
      subjects.push({ tier, id, plan });
    }
  }
  world.crash(home!);
  return subjects;
}

/** Holders in a drawn order, each as long as no tessera loses more than half of what it tolerates. */
async function choose(
  world: World,
  subjects: readonly Subject[],
): Promise<ReadonlySet<Inhabitant>> {
  const kept = await Promise.all(
    subjects.map(({ plan }) => keptBy(world, plan)),
  );
  const holders = new Set(kept.flatMap((one) => [...one.keys()]));
  const dying = bearable(
    shuffled([...holders], world.random),
    subjects.map(({ plan }, at) => ({
      kept: kept[at]!,
      lossMax: plan.parityCount / 2,
    })),
  );
  assertTrue(dying.size > 0, "somebody may go");
  return dying;
}

async function noteMargins(
  world: World,
  subjects: readonly Subject[],
  worst: Map<TierName, number>,
): Promise<void> {
  for (const { tier, plan } of subjects) {
    const margin = await aliveCount(world, plan) - plan.dataCount;
    worst.set(tier, Math.min(margin, worst.get(tier) ?? Infinity));
  }
}

async function isHealthy(
  world: World,
  subjects: readonly Subject[],
): Promise<boolean> {
  for (const { plan } of subjects) {
    const missing = plan.fragments.length - await aliveCount(world, plan);
    if (missing >= repairAfterLosses(plan)) return false;
  }
  return true;
}

async function expansionOf(
  world: World,
  subjects: readonly Subject[],
): Promise<number> {
  let [kept, original] = [0, 0];
  for (const { tier, plan } of subjects) {
    if (tier === "copies") continue;
    kept += await copyCount(world, plan) * plan.shardBytes;
    original += plan.packBytes;
  }
  return original === 0 ? 0 : rounded(kept / original);
}

/** A node that has never seen any of it fetches everything. @returns how many tesseras are right to the last byte */
async function fetchAll(
  world: World,
  subjects: readonly Subject[],
): Promise<number> {
  const entry = world.living[0]!;
  const reader = await world.add([]);
  await world.run(join(reader.node, [entry.address], never));
  for (const { id } of subjects) {
    await world.run(fetchAt(reader, id));
    const report = await reader.archive.verify(id, () => {}, never);
    assertTrue(report.passed);
  }
  return subjects.length;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
