/** A tessera is published; its publisher or one of its holders dies meanwhile. */
import { codeOf, keyOf } from "@tesseras/core";
import { never } from "@tesseras/testing/sim";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Machine } from "./machines.ts";
import type { Stage, Story } from "./story.ts";
import {
  assertFetched,
  build,
  keptOf,
  publishFrom,
  type Town,
  type Treasure,
  treasure,
  until,
} from "./town.ts";

const HOLDERS = 8;
const COPIES = 7;
const MINUTE_MS = 60_000;

/** The publisher is killed, and goes on when it is started again. */
export const DISTRIBUTE: Story = {
  name: "distribute",
  play: (stage) => distribute(stage, ({ home }) => home),
};

/** A holder is killed while it receives; the publisher goes on to others. */
export const RECEIVE: Story = {
  name: "receive",
  play: (stage) => distribute(stage, ({ holders }) => holders[3]!),
};

async function distribute(
  { machines, seed, arm }: Stage,
  victimOf: (town: Town) => Machine,
): Promise<void> {
  const town = await build(machines, HOLDERS);
  const { home, holders } = town;
  const kept = await treasure(machines, home, seed);
  const victim = victimOf(town);
  arm(victim);
  const isDone = await machines.run(published(home, kept));
  await machines.pass(MINUTE_MS / 2);
  victim.running?.life.disarm();
  await machines.oracle.checkAll(machines.all);
  await machines.revive(victim);
  await assertNoted(home, holders, kept);
  // Before anything was written down nothing was promised; whoever was told of a failure asks again.
  const isBegun = await home.state.publication(kept.plan.tesseraId, never);
  if (!isDone && isBegun === undefined) {
    await machines.run(publishFrom(home, kept.plan));
  }
  const isReplicated = async () =>
    (await home.state.publication(kept.plan.tesseraId, never))?.state ===
      "replicated";
  const patience = { everyMs: MINUTE_MS / 2, times: 40 };
  assertTrue(await until(machines, patience, isReplicated), "published");
  await machines.oracle.checkAll(machines.all);
  await assertNoted(home, holders, kept);
  const copies = await keptOf(holders, kept.plan);
  const indices = [...copies.values()].flat();
  assertEquals(new Set(indices).size, COPIES);
  assertEquals(indices.length, copies.size, "no holder has two copies");
  machines.kill(home);
  await assertFetched(machines, kept);
}

async function published(home: Machine, { plan }: Treasure): Promise<boolean> {
  try {
    await publishFrom(home, plan);
    return home.running !== undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

/** What is written down as placed lies where it says. */
async function assertNoted(
  home: Machine,
  holders: readonly Machine[],
  { plan }: Treasure,
): Promise<void> {
  const kept = await keptOf(holders, plan);
  for (const row of await home.state.care.placements(plan.hash, never)) {
    if (row.lostAtMs !== undefined) continue;
    const holder = holders.find(({ identity }) =>
      keyOf(identity.id) === keyOf(row.holder)
    );
    const indices = holder === undefined ? [] : kept.get(holder) ?? [];
    assertTrue(indices.includes(row.index), "what is noted is kept");
  }
}
