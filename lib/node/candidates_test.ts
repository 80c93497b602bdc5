import { keyOf } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { candidatesFor } from "./candidates.ts";
import { publish } from "./publish.ts";

Deno.test("who keeps more for us than we for it is given fragments first, who owes too much last", async () => {
  const world = new World(1);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const stores = await world.grow(9, ["store"]);
  const [home] = await world.grow(1, []);
  const { node, state, archive } = home!;
  const { plan } = await keep(home!, creator(1), 2_000);
  const [friend, rider, stranger] = stores as [
    Inhabitant,
    Inhabitant,
    Inhabitant,
  ];
  const own = await keep(home!, creator(2), 3_000);
  await state.putPublication({
    tesseraId: own.id,
    planHash: own.plan.hash,
    state: "replicated",
    updatedAtMs: 1,
  }, never);
  await state.care.putPlacements([{
    planHash: own.plan.hash,
    index: 0,
    holder: friend.node.id,
    record: friend.node.record().bytes,
    bytes: 1_000,
    ackedAtMs: 1,
    lastSeenMs: 1,
    lostAtMs: undefined,
  }], never);
  const { hash, tesseraId, bytes } = own.plan;
  await state.keepFragment({ hash, tesseraId, bytes }, {
    planHash: hash,
    index: 1,
    tesseraId,
    blob: own.plan.fragments[1]!,
    bytes: 1_000,
    owner: rider.node.id,
    subnet: undefined,
    storedAtMs: 1,
    isRepair: false,
  }, never);
  const parts = { node, state, archive, subnetLimit: 2, deficitMax: 1_000 };
  const { candidates } = await world.run(candidatesFor(parts, plan, never));
  const rankOf = (one: Inhabitant) =>
    candidates.find(({ contact }) => keyOf(contact.id) === keyOf(one.node.id))
      ?.reciprocity;
  assertEquals([rankOf(friend), rankOf(rider), rankOf(stranger)], [1, -1, 0]);
  const report = await world.run(publish(parts, plan, () => {}, never));
  const holders = new Set([...report.holders.values()].map((h) => keyOf(h.id)));
  assertEquals(holders.has(keyOf(friend.node.id)), true);
  assertEquals(holders.has(keyOf(rider.node.id)), false);
});
