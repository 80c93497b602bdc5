import { assertEquals, assertTrue } from "@tesseras/testing";
import { SeededRandom } from "@tesseras/core";
import { LOST_PEERS_MAX, NODE_RECORD_TTL_MS } from "@tesseras/core/limits";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { findNodes } from "./find.ts";
import { refreshForever } from "./join.ts";
import { LostPeers } from "./lost.ts";

const HOUR_MS = 3_600_000;

Deno.test("the lost are few, for a day, and none once met again", async () => {
  await using world = new World(1);
  const lost = new LostPeers();
  const random = new SeededRandom(1);
  assertEquals(lost.any(0, random), undefined);
  const records = [];
  for (let i = 0; i < LOST_PEERS_MAX + 3; i++) {
    records.push(world.recordOf(await world.identity(), []));
  }
  for (const [i, record] of records.entries()) lost.note(record, i);
  assertEquals(lost.size, LOST_PEERS_MAX);
  lost.found(records.at(-1)!.id);
  assertEquals(lost.size, LOST_PEERS_MAX - 1);
  assertTrue(records.slice(3, -1).includes(lost.any(100, random)!));
  assertEquals(lost.any(NODE_RECORD_TTL_MS + 200, random), undefined);
  assertEquals(lost.size, 0);
});

/** How many of the others each of some knows. */
function knownCounts(
  some: readonly Inhabitant[],
  others: readonly Inhabitant[],
): number[] {
  return some.map(({ node }) =>
    others.filter((other) => node.table.get(other.node.id)).length
  );
}

Deno.test("two halves that forgot each other find together again by themselves, once they can", async () => {
  const world = new World(2);
  await using _world = world;
  const all = await world.grow(8, ["dht"]);
  for (const { node } of all) {
    node.spawn((signal) => refreshForever(node, HOUR_MS, signal));
  }
  const [left, right] = [all.slice(0, 4), all.slice(4)];
  const addresses = (half: readonly Inhabitant[]) =>
    half.map(({ address }) => address);
  world.network.partition(addresses(left), addresses(right));
  await world.clock.advance(6 * HOUR_MS);
  assertEquals(knownCounts(left, right), Array(4).fill(0));
  assertEquals(knownCounts(right, left), Array(4).fill(0));
  world.network.heal();
  await world.clock.advance(2 * HOUR_MS);
  for (const { node } of all) {
    const found = await world.run(findNodes(node, node.id, {}, never));
    assertEquals(found.closest.length, 7);
  }
  const reunited = all.reduce(
    (sum, { runtime }) => sum + runtime.counters.get("table.reunited"),
    0,
  );
  assertTrue(reunited > 0);
});
