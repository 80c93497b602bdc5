/** A tessera whose owner is gone loses holders, and is made whole by those who are left, one of whom dies meanwhile. */
import { codeOf } from "@tesseras/core";
import { type Regard, regard, repair } from "@tesseras/node";
import { never } from "@tesseras/testing/sim";
import { assertTrue } from "@tesseras/testing";
import { DAY_MS } from "../sim/caring.ts";
import type { Machine, Machines } from "./machines.ts";
import type { Stage, Story } from "./story.ts";
import {
  aliveOf,
  assertFetched,
  build,
  caring,
  caringParts,
  keptOf,
  publishFrom,
  type Treasure,
  treasure,
  until,
} from "./town.ts";

const COPIES = 7;
/** Bytes of a file that is coded. */
const CODED_BYTES = 4_300_000;

/** What is to be lost and mended. */
type Loss = {
  readonly kept: Treasure;
  /** Those who keep it and live, in the order of their names. */
  readonly keepers: readonly Machine[];
  readonly spare: readonly Machine[];
};

/** Publishes, and takes the owner and some of the holders away for good. */
async function lose(
  { machines, seed }: Stage,
  { holderCount, bytes, lostCount }: {
    readonly holderCount: number;
    readonly bytes?: number;
    readonly lostCount: number;
  },
): Promise<Loss> {
  const { home, holders } = await build(machines, holderCount);
  const kept = await treasure(machines, home, seed, bytes);
  await machines.run(publishFrom(home, kept.plan));
  await machines.pass(60_000);
  machines.kill(home);
  const keepers = [...(await keptOf(holders, kept.plan)).keys()];
  for (const lost of keepers.splice(0, lostCount)) machines.kill(lost);
  const spare = holders.filter((one) =>
    one.running !== undefined && !keepers.includes(one)
  );
  return { kept, keepers, spare };
}

/** One copy is lost. One holder cares, and dies somewhere between the loss and the end of the repair. */
export const REPAIR: Story = {
  name: "repair",
  async play(stage: Stage): Promise<void> {
    const { machines, arm } = stage;
    const loss = await lose(stage, { holderCount: 8, lostCount: 1 });
    const [repairer] = loss.keepers;
    caring(repairer!.up);
    arm(repairer!);
    await untilWhole(stage, loss, { repairer: repairer!, fragments: COPIES });
    await assertFetched(machines, loss.kept);
  },
};

/** As {@link REPAIR}; who dies is the one who is to have the new copy. */
export const TAKE: Story = {
  name: "take",
  async play(stage: Stage): Promise<void> {
    const { machines, arm } = stage;
    const loss = await lose(stage, { holderCount: 8, lostCount: 1 });
    const [repairer] = loss.keepers;
    caring(repairer!.up);
    const taker = loss.spare[0]!;
    arm(taker);
    await untilWhole(stage, loss, { repairer: taker, fragments: COPIES });
    await assertFetched(machines, loss.kept);
  },
};

/** Fragments are lost with their holders, so that others are fetched and coded anew. */
export const RECODE: Story = {
  name: "recode",
  async play(stage: Stage): Promise<void> {
    const { machines, arm } = stage;
    const loss = await lose(stage, {
      holderCount: 12,
      bytes: CODED_BYTES,
      lostCount: 3,
    });
    const [repairer] = loss.keepers;
    caring(repairer!.up);
    arm(repairer!);
    await untilWhole(stage, loss, { repairer: repairer!, fragments: 22 });
    await assertFetched(machines, loss.kept);
  },
};

/** Two repair at the same moment, and one of them dies of it. */
export const TWO: Story = {
  name: "two",
  async play(stage: Stage): Promise<void> {
    const { machines, arm } = stage;
    const loss = await lose(stage, { holderCount: 9, lostCount: 1 });
    const [anna, bert] = loss.keepers as [Machine, Machine];
    const { plan } = loss.kept;
    for (let day = 0; day < 5; day++) {
      await machines.run(Promise.all([look(anna, plan), look(bert, plan)]));
      await machines.pass(DAY_MS);
    }
    arm(anna);
    await machines.run(Promise.all([mend(anna, plan), mend(bert, plan)]));
    anna.running?.life.disarm();
    await machines.oracle.checkAll(machines.all);
    await machines.revive(anna);
    await machines.oracle.checkAll(machines.all);
    const living = machines.all.filter(({ running }) => running !== undefined);
    for (const one of [anna, bert]) caring(one.up);
    // Whole at once, unless one of the two gave up a copy of its own that it could not read.
    const patience = { everyMs: DAY_MS / 24, times: 24 * 4 };
    const isWhole = async () => await aliveOf(living, plan) === COPIES;
    assertTrue(await until(machines, patience, isWhole), "it is made whole");
    const copies = [...(await keptOf(living, plan)).values()].flat().length;
    // One each, and one more for a copy of its own that it could not read and gave up.
    assertTrue(copies <= COPIES + 2, `two copies too many at most: ${copies}`);
    await assertFetched(machines, loss.kept);
  },
};

/** One look with an audit of everybody: the looker dies, or the disk fails it. */
export const AUDIT: Story = {
  name: "audit",
  play: (stage) => audit(stage, ([looker]) => looker!),
};

/** One look with an audit of everybody: who is audited dies, or its disk fails it. */
export const PROVE: Story = {
  name: "prove",
  play: (stage) => audit(stage, ([, proving]) => proving!),
};

async function audit(
  stage: Stage,
  victimOf: (keepers: readonly Machine[]) => Machine,
): Promise<void> {
  const { machines, arm } = stage;
  const { kept, keepers } = await lose(stage, { holderCount: 7, lostCount: 0 });
  const [looker] = keepers as [Machine];
  const victim = victimOf(keepers);
  const { errors } = machines.tally;
  arm(victim);
  await machines.run(look(looker, kept.plan));
  await machines.pass(60_000);
  const hasFailed = machines.tally.errors > errors;
  victim.running?.life.disarm();
  await machines.oracle.checkAll(machines.all);
  await machines.revive(victim);
  for (let day = 0; day < 2; day++) {
    await machines.pass(DAY_MS);
    const seen = await machines.run(look(looker, kept.plan));
    // A fragment that could not be read once may have been given up: it is missing then, and nobody is called a liar for it.
    const { state, census } = seen!.health;
    assertTrue(
      hasFailed || state === "healthy",
      `all is well again, and was ${state} with ${census.spareCount} to spare`,
    );
  }
  const known = await looker.state.care.placements(kept.plan.hash, never);
  const lost = known.filter(({ lostAtMs }) => lostAtMs !== undefined);
  assertTrue(lost.length <= (hasFailed ? 1 : 0), "nobody is given up");
  await machines.oracle.checkAll(machines.all);
  await assertFetched(machines, kept);
}

async function look(
  { running }: Machine,
  plan: Treasure["plan"],
): Promise<Regard | undefined> {
  if (running === undefined) return undefined;
  try {
    return await regard(caringParts(running), plan, "whole", never);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

async function mend(
  machine: Machine,
  plan: Treasure["plan"],
): Promise<void> {
  const { running } = machine;
  const seen = await look(machine, plan);
  if (running === undefined || seen === undefined) return;
  try {
    await repair(caringParts(running), seen, never);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** Waits for a repair by somebody who is started again whenever it fell. */
async function untilWhole(
  { machines }: Stage,
  { kept: { plan }, keepers, spare }: Loss,
  { repairer, fragments }: {
    readonly repairer: Machine;
    readonly fragments: number;
  },
): Promise<void> {
  const living = [...keepers, ...spare];
  const isCarer = repairer === keepers[0];
  const isWhole = async (): Promise<boolean> => {
    if (await machines.revive(repairer)) {
      await machines.oracle.check(repairer);
      if (isCarer) caring(repairer.up);
    }
    return await aliveOf(living, plan) >= fragments;
  };
  const patience = { everyMs: DAY_MS / 24, times: 24 * 12 };
  const done = await until(machines, patience, isWhole);
  assertTrue(done, "it is made whole");
  machines.tally.repairs++;
  await machines.pass(DAY_MS / 24);
  await machines.revive(repairer);
  await machines.oracle.checkAll(machines.all);
  await assertNoFlood(machines, { living, plan });
}

/** A copy too many may come of a death between a taker's yes and the note of it; more may not. */
async function assertNoFlood(
  machines: Machines,
  { living, plan }: {
    readonly living: readonly Machine[];
    readonly plan: Treasure["plan"];
  },
): Promise<void> {
  await machines.pass(DAY_MS);
  const copies = [...(await keptOf(living, plan)).values()].flat().length;
  const most = plan.fragments.length + 2;
  assertTrue(copies <= most, `${copies} copies, at most ${most}`);
}
