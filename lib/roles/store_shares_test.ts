/** Who pays for what a store keeps, and what lies beside it. */
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { never, World } from "@tesseras/testing/sim";
import { copies, holder, put } from "./holder_for_tests.ts";

Deno.test("a fragment that the store had staged itself is kept and charged for whoever brings it", async () => {
  const world = new World(12);
  await using _world = world;
  const { plan, content } = copies(1_000);
  const due = content.length + plan.bytes.length;
  const { store, sender } = await holder(world, {
    store: { perPeerMax: due },
  });
  await using writer = await store.blobs.create(never);
  await writer.write(content, never);
  const { hash: blob } = await writer.commit(never);
  const { hash, tesseraId: id, bytes } = plan;
  await store.state.putPlan({ hash, tesseraId: id, bytes }, never);
  await store.state.putFragment({
    planHash: hash,
    index: 0,
    tesseraId: id,
    blob,
    bytes: content.length,
    owner: undefined,
    subnet: undefined,
    storedAtMs: 1,
    isRepair: false,
  }, never);
  assertEquals(await store.state.storedBytes(undefined, never), 0);
  const { counters } = store.runtime;
  await world.run(put(sender, store, { plan, content }));
  assertEquals(await store.state.storedBytes(sender.record.id, never), due);
  assertEquals(counters.get("fragment.adopted"), 1);
  assertEquals(counters.get("fragment.stored"), 0);
  // Its share is used up, and what it has here costs nothing more.
  await world.run(put(sender, store, { plan, content }));
  await assertRejectsCode(
    world.run(put(sender, store, copies(1, 2))),
    "refused",
  );
});

Deno.test("all others together have what the store gives them and no more", async () => {
  const world = new World(13);
  await using _world = world;
  const one = copies(1_000);
  const due = 1_000 + one.plan.bytes.length;
  const { store, sender } = await holder(world, {
    store: { storeMax: due + 10 },
  });
  await world.run(put(sender, store, one));
  await assertRejectsCode(
    world.run(put(sender, store, copies(1_000, 2))),
    "diskFull",
  );
  const { counters } = store.runtime;
  assertEquals(counters.get("fragment.refused_store_full"), 1);
});

Deno.test("the plan of what is kept comes to lie beside it, and after a restart what was missed does", async () => {
  const world = new World(14);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  await world.run(put(sender, store, { plan, content }));
  await world.clock.advance(10_000);
  const { blobs } = store;
  assertEquals(await blobs.size(plan.hash, never), plan.bytes.length);
  await blobs.remove(plan.hash, never);
  await world.restart(store, ["store"]);
  await world.clock.advance(10_000);
  assertEquals(await blobs.size(plan.hash, never), plan.bytes.length);
});
