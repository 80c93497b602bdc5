// Nodes of a simulated world bring fragments to one store.
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import type { Plan } from "@tesseras/tessera";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { signProviderRecord } from "@tesseras/wire";

const SHARD_BYTES = 100_000;

async function scene(seed: number, deficitMax: number) {
  const world = new World(seed);
  const [store] = await world.grow(1, ["store"], { store: { deficitMax } });
  const [home] = await world.grow(1, ["store"]);
  return { world, store: store!, home: home! };
}

/** Brings one fragment of a plan. */
async function bring(
  world: World,
  { from, to, plan, repair }: {
    readonly from: Inhabitant;
    readonly to: Inhabitant;
    readonly plan: Plan;
    readonly repair?: Uint8Array;
  },
) {
  const fragment = await from.archive.openFragment(plan, 0, never);
  const bytes = new Uint8Array(plan.shardBytes);
  await fragment!.read(0, bytes, never);
  await fragment![Symbol.asyncDispose]();
  return await world.run(from.node.ask(
    to.node.record(),
    {
      type: "put_fragment",
      plan: plan.bytes,
      index: 0,
      bulk: bytes.length,
      ...(repair && { repair }),
    },
    {
      bulk: {
        bytes: bytes.length,
        async *chunks() {
          yield bytes;
        },
      },
    },
    never,
  ));
}

function wordOf(one: Inhabitant, plan: Plan, world: World): Uint8Array {
  const nowMs = world.clock.nowMs();
  return signProviderRecord({
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    indices: [1],
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, one.node.identity).bytes;
}

Deno.test("who owes as much as it may is refused until it keeps something for us, or is an institution", async () => {
  const { world, store, home } = await scene(1, 1.5 * SHARD_BYTES);
  await using _world = world;
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map((seed) => keep(home, creator(seed), SHARD_BYTES - 20_000)),
  );
  const plans = [one!.plan, two!.plan, three!.plan] as const;
  await bring(world, { from: home, to: store, plan: plans[0] });
  const second = () => bring(world, { from: home, to: store, plan: plans[1] });
  await assertRejectsCode(second(), "refused", /may owe 150000 bytes/);
  assertEquals(store.runtime.counters.get("fragment.refused_deficit"), 1);
  const own = await keep(store, creator(9), SHARD_BYTES - 20_000);
  await store.state.putPublication({
    tesseraId: own.id,
    planHash: own.plan.hash,
    state: "replicated",
    updatedAtMs: 1,
  }, never);
  await store.state.care.putPlacements([{
    planHash: own.plan.hash,
    index: 0,
    holder: home.node.id,
    record: home.node.record().bytes,
    bytes: own.plan.shardBytes,
    ackedAtMs: 1,
    lastSeenMs: 1,
    lostAtMs: undefined,
  }], never);
  await second();
  const third = () => bring(world, { from: home, to: store, plan: plans[2] });
  await assertRejectsCode(third(), "refused");
  await store.state.care.markInstitutional({
    peer: home.node.id,
    isInstitutional: true,
    atMs: 1,
  }, never);
  await third();
});

Deno.test("whoever says that it repairs gives its own word of now, and is charged where nobody else keeps anything", async () => {
  const { world, store, home } = await scene(2, 10);
  await using _world = world;
  const { plan } = await keep(home, creator(1), 50_000);
  const other = await keep(home, creator(2), 50_000);
  const [stranger] = await world.grow(1, ["store"]);
  const put = { from: home, to: store, plan };
  await assertRejectsCode(bring(world, put), "refused", /may owe 10 bytes/);
  for (
    const repair of [
      wordOf(stranger!, plan, world),
      wordOf(home, other.plan, world),
    ]
  ) {
    await assertRejectsCode(bring(world, { ...put, repair }), "forged");
  }
  const stale = wordOf(home, plan, world);
  await world.clock.advance(2 * 3_600_000);
  await assertRejectsCode(bring(world, { ...put, repair: stale }), "refused");
  assertEquals(store.runtime.counters.get("fragment.repair_misfit"), 3);
  const alone = { ...put, repair: wordOf(home, plan, world) };
  await assertRejectsCode(bring(world, alone), "refused", /may owe 10 bytes/);
  assertEquals(store.runtime.counters.get("fragment.repair_unseen"), 1);
});

Deno.test("fragments on their way count, so that two at once owe no more than one", async () => {
  const { world, store, home } = await scene(3, 1.5 * SHARD_BYTES);
  await using _world = world;
  const plans = await Promise.all(
    [1, 2].map(async (seed) =>
      (await keep(home, creator(seed), SHARD_BYTES - 20_000)).plan
    ),
  );
  const outcomes = await Promise.allSettled(
    plans.map((plan) => bring(world, { from: home, to: store, plan })),
  );
  assertEquals(outcomes.map(({ status }) => status).sort(), [
    "fulfilled",
    "rejected",
  ]);
});
