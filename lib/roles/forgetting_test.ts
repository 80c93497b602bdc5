/** A holder that is asked to forget, by its creator and by others. */
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { type Hash, tesseraId } from "@tesseras/core";
import { CLOCK_SKEW_MS, TOMBSTONE_TTL_MS } from "@tesseras/core/limits";
import { blake3, type CreatorKeys } from "@tesseras/crypto";
import { bulkOf, type BulkSource } from "@tesseras/net";
import {
  creatorOf,
  draftPlan,
  type Plan,
  signPlan,
  signTombstone,
} from "@tesseras/tessera";
import {
  creator,
  type Inhabitant,
  never,
  type Rogue,
  World,
} from "@tesseras/testing/sim";

const CONTENT = new Uint8Array(1_000).fill(7);
const ID = tesseraId(blake3(CONTENT));

async function holder(world: World) {
  const store = await world.add(["store"]);
  const sender = await world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
  return { store, sender };
}

/** A plan of whole copies of {@link CONTENT}. */
function copiesBy(keys: CreatorKeys): Plan {
  const fragments = Array<Hash>(7).fill(blake3(CONTENT));
  return signPlan(
    draftPlan({ tesseraId: ID, packBytes: CONTENT.length, fragments }),
    keys,
  );
}

async function put(
  { peers }: Rogue,
  { node }: Inhabitant,
  plan: Plan,
  bulk: BulkSource = bulkOf(CONTENT),
): Promise<void> {
  await peers.ask(
    node.record(),
    {
      type: "put_fragment",
      plan: plan.bytes,
      index: 0,
      bulk: CONTENT.length,
    },
    { bulk },
    never,
  );
}

async function forget(
  { peers }: Rogue,
  { node }: Inhabitant,
  tombstone: Uint8Array,
): Promise<number> {
  const request = { type: "forget", tombstone } as const;
  const { response } = await peers.ask(node.record(), request, {}, never);
  return response.count;
}

function wishOf(world: World, keys: CreatorKeys, agoMs = 0): Uint8Array {
  const createdAtMs = world.clock.nowMs() - agoMs;
  return signTombstone({ tesseraId: ID, createdAtMs }, keys).bytes;
}

async function keptAt({ state, blobs }: Inhabitant) {
  const fragments = await state.fragmentsOf(ID, never);
  const listed = await Array.fromAsync(blobs.list(never));
  return { fragmentCount: fragments.length, blobCount: listed.length };
}

Deno.test("what its creator wants forgotten is gone at once, again when asked again, and not taken any more", async () => {
  const world = new World(1);
  await using _world = world;
  const { store, sender } = await holder(world);
  const keys = creator(1);
  const plan = copiesBy(keys);
  await world.run(put(sender, store, plan));
  // Long enough for the plan to lie beside its fragments.
  await world.clock.advance(10_000);
  assertEquals(await keptAt(store), { fragmentCount: 1, blobCount: 2 });
  const wish = wishOf(world, keys, TOMBSTONE_TTL_MS - 60_000);
  assertEquals(await world.run(forget(sender, store, wish)), 1);
  assertEquals(await keptAt(store), { fragmentCount: 0, blobCount: 0 });
  assertEquals(await store.state.storedBytes(undefined, never), 0);
  assertEquals(await world.run(forget(sender, store, wish)), 0);
  await assertRejectsCode(
    world.run(put(sender, store, plan)),
    "refused",
    /its creator asked to forget it, which counts until \d{4}-\d\d-\d\d/,
  );
  await assertRejectsCode(
    world.run(
      sender.peers.ask(
        store.node.record(),
        { type: "get_plan", plan: plan.hash },
        {},
        never,
      ),
    ),
    "absent",
  );
  assertEquals(store.runtime.counters.get("fragment.forgotten"), 1);
  // When its time is up it may be published again.
  await world.clock.advance(60_000);
  await world.run(put(sender, store, plan));
  assertEquals((await keptAt(store)).fragmentCount, 1);
});

Deno.test("a wish that is forged, of somebody else, too old or of the future removes nothing", async () => {
  const world = new World(2);
  await using _world = world;
  const { store, sender } = await holder(world);
  const keys = creator(1);
  await world.run(put(sender, store, copiesBy(keys)));
  const bent = wishOf(world, keys);
  bent[bent.length - 1]! ^= 1;
  const cases = [
    [bent, "forged"],
    [wishOf(world, creator(2)), "forged"],
    [wishOf(world, keys, TOMBSTONE_TTL_MS), "refused"],
    [wishOf(world, keys, -CLOCK_SKEW_MS - 1_000), "refused"],
    [wishOf(world, keys).subarray(1), "malformed"],
    [new Uint8Array(0), "malformed"],
  ] as const;
  for (const [wish, code] of cases) {
    await assertRejectsCode(world.run(forget(sender, store, wish)), code);
  }
  assertEquals((await keptAt(store)).fragmentCount, 1);
  assertEquals(store.runtime.counters.get("tombstone.forged"), 2);
  const key = { tesseraId: ID, creator: creatorOf(keys.publicKeys) };
  assertEquals(await store.state.care.tombstone(key, never), undefined);
});

Deno.test("of two who signed plans for one tessera, each can have only their own forgotten", async () => {
  const world = new World(3);
  await using _world = world;
  const { store, sender } = await holder(world);
  const [mine, theirs] = [creator(1), creator(2)];
  await world.run(put(sender, store, copiesBy(mine)));
  await world.run(put(sender, store, copiesBy(theirs)));
  assertEquals(await world.run(forget(sender, store, wishOf(world, mine))), 1);
  const [left, ...others] = await store.state.fragmentsOf(ID, never);
  assertEquals(others, []);
  assertEquals(left!.planHash, copiesBy(theirs).hash);
  // The bytes are the same, and somebody still needs them.
  assertEquals(await store.blobs.size(left!.blob, never), CONTENT.length);
  await world.run(put(sender, store, copiesBy(theirs)));
});

Deno.test("a wish for what is not kept is answered and leaves nothing", async () => {
  const world = new World(4);
  await using _world = world;
  const { store, sender } = await holder(world);
  const keys = creator(1);
  assertEquals(await world.run(forget(sender, store, wishOf(world, keys))), 0);
  await world.run(put(sender, store, copiesBy(keys)));
  assertEquals((await keptAt(store)).fragmentCount, 1);
});

Deno.test("a fragment on its way while its tessera is forgotten is not kept", async () => {
  const world = new World(5);
  await using _world = world;
  const { store, sender } = await holder(world);
  const keys = creator(1);
  const plan = copiesBy(keys);
  await world.run(put(sender, store, plan));
  const { promise: isForgotten, resolve } = Promise.withResolvers<void>();
  const slow: BulkSource = {
    bytes: CONTENT.length,
    async *chunks() {
      yield CONTENT.subarray(0, 500);
      await isForgotten;
      yield CONTENT.subarray(500);
    },
  };
  const other = await world.rogue(() =>
    Promise.resolve({ response: { type: "nodes", records: [] } })
  );
  const late = other.peers.ask(
    store.node.record(),
    {
      type: "put_fragment",
      plan: plan.bytes,
      index: 1,
      bulk: CONTENT.length,
    },
    { bulk: slow },
    never,
  );
  const refused = assertRejectsCode(late, "refused", /asked to forget/);
  await world.clock.advance(1_000);
  assertEquals(
    await world.run(forget(sender, store, wishOf(world, keys))),
    1,
  );
  resolve();
  await world.run(refused);
  assertEquals(await keptAt(store), { fragmentCount: 0, blobCount: 0 });
});
