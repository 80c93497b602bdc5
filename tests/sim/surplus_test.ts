/** Fragments that lie twice because a holder came back, in a simulated network under a virtual clock. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { join } from "@tesseras/node";
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
import { creator, keep, never, World } from "./world.ts";

Deno.test("of two who keep the same copy one lets go, a while after the other came back, and never both", async () => {
  const world = new World(21);
  await using _world = world;
  const [entry] = await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(8, ["store"]);
  const [home] = await world.grow(1, []);
  const { plan } = await keep(home!, creator(21), 2_000);
  await world.run(publishAt(home!, plan));
  world.crash(home!);
  stores.forEach((one) => care(one));
  await world.clock.advance(DAY_MS);
  const [absent] = (await keptBy(world, plan)).keys();
  world.crash(absent!);
  const isWhole = async () => await aliveCount(world, plan) === 7;
  assertTrue(await until(world, 6, isWhole), "somebody made it anew");
  const back = await world.restart(absent!, ["store"]);
  care(back);
  await world.run(join(back.node, [entry!.address], never));
  assertEquals(await copyCount(world, plan), 8);
  await world.clock.advance(2 * DAY_MS);
  assertEquals(await copyCount(world, plan), 8);
  assertEquals(counted(world, "care.released"), 0);
  const isOnce = async () => await copyCount(world, plan) === 7;
  assertTrue(await until(world, 16, isOnce), "one of the two let go");
  assertEquals(await aliveCount(world, plan), 7);
  assertEquals(counted(world, "care.released"), 1);
  await world.clock.advance(8 * DAY_MS);
  assertEquals(await copyCount(world, plan), 7);
  assertEquals(counted(world, "repair.placed"), 1);
});
