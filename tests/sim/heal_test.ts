/** Holders whose disks rot and who put it right themselves, in a simulated network under a virtual clock. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { audit, join } from "@tesseras/node";
import type { Plan } from "@tesseras/tessera";
import {
  aliveCount,
  care,
  copyCount,
  counted,
  DAY_MS,
  keptBy,
  publishAt,
  until,
} from "./caring.ts";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

async function network(seed: number, bytes: number, isCaring = true) {
  const world = new World(seed);
  const [entry] = await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(9, ["store"]);
  const [home] = await world.grow(1, []);
  if (isCaring) stores.forEach((one) => care(one));
  const { plan } = await keep(home!, creator(seed), bytes);
  await world.run(publishAt(home!, plan));
  return { world, entry: entry!, stores, home: home!, plan };
}

/** Rots the first fragment of a holder, and lets somebody find it. */
async function rot(
  world: World,
  { plan, at, by }: {
    readonly plan: Plan;
    readonly at: Inhabitant;
    readonly by: Inhabitant;
  },
) {
  const [row] = await at.state.fragmentsOf(plan.tesseraId, never);
  // Every leaf is asked for where there are as few as here, or it is of the first.
  for (let offset = 0; offset < row!.bytes; offset += 1_024) {
    at.blobs.rot(row!.blob, offset);
  }
  const record = at.node.record();
  const { outcome } = await world.run(
    audit(by.node, record, plan, row!.index, never),
  );
  assertEquals(outcome, "admitted");
  return row!;
}

for (
  const [bytes, what] of [[2_000, "copy"], [4_300_000, "fragment"]] as const
) {
  Deno.test(`a ${what} that somebody else's audit found to be bad is made anew where it was, and nowhere else`, async () => {
    const { world, home, plan } = await network(bytes % 97, bytes);
    await using _world = world;
    await world.clock.advance(DAY_MS);
    const [one, other] = (await keptBy(world, plan)).keys();
    const putCount = counted(world, "request.put_fragment");
    const row = await rot(world, { plan, at: one!, by: other! });
    assertTrue(await aliveCount(world, plan) < plan.fragments.length);
    // Long before anybody's turn.
    await world.clock.advance(DAY_MS / 24);
    const healed = await one!.state.fragment(plan.hash, row.index, never);
    assertEquals(healed!.owner, home.node.id);
    assertEquals(one!.runtime.counters.get("repair.healed"), 1);
    await world.clock.advance(4 * DAY_MS);
    assertEquals(await copyCount(world, plan), plan.fragments.length);
    assertEquals(counted(world, "request.put_fragment"), putCount);
    assertEquals(counted(world, "repair.placed"), 0);
    const known = await other!.state.care.placements(plan.hash, never);
    assertTrue(
      known.every(({ lostAtMs }) => lostAtMs === undefined),
      "it proved itself to all who look",
    );
  });
}

Deno.test("a restart between finding rot and healing it forgets nothing", async () => {
  const { world, entry, plan } = await network(3, 2_000, false);
  await using _world = world;
  const [one, other] = (await keptBy(world, plan)).keys();
  await rot(world, { plan, at: one!, by: other! });
  assertEquals((await one!.state.fragmentsOf(plan.tesseraId, never)).length, 0);
  const again = await world.restart(one!, ["store"]);
  care(again);
  await world.run(join(again.node, [entry.address], never));
  const isHealed = () =>
    Promise.resolve(again.runtime.counters.get("repair.healed") === 1);
  assertTrue(await until(world, 1, isHealed));
  assertEquals(await copyCount(world, plan), 7);
});

Deno.test("what others have made anew meanwhile is not made twice", async () => {
  const { world, entry, stores, plan } = await network(4, 2_000, false);
  await using _world = world;
  const [one, ...others] = (await keptBy(world, plan)).keys();
  await rot(world, { plan, at: one!, by: others[0]! });
  world.crash(one!);
  stores.filter((it) => it !== one).forEach((it) => care(it));
  const isWhole = async () => await aliveCount(world, plan) === 7;
  assertTrue(await until(world, 8, isWhole), "somebody else has it");
  const again = await world.restart(one!, ["store"]);
  care(again);
  await world.run(join(again.node, [entry.address], never));
  await world.clock.advance(3 * DAY_MS);
  assertEquals(again.runtime.counters.get("repair.healed"), 0);
  assertEquals(await again.state.care.struck(plan.hash, never), []);
  assertEquals(await copyCount(world, plan), 7);
});
