/** Who brings a fragment and says that it repairs, and what a stranger to the tessera sees of it. */
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { bulkOf } from "@tesseras/net";
import type { Plan } from "@tesseras/tessera";
import { publish } from "@tesseras/node";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  type Rogue,
  World,
} from "@tesseras/testing/sim";
import { CAPABILITIES, signProviderRecord } from "@tesseras/wire";

const BYTES = 2_000;

/** A tessera of seven copies whose first holder has died, somebody who keeps one, and a stranger who lets nobody owe it anything. */
async function scene(seed: number) {
  const world = new World(seed);
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(7, ["store"]);
  const [home] = await world.grow(1, []);
  const { plan } = await keep(home!, creator(seed), BYTES);
  const { node, archive, state } = home!;
  const parts = { node, archive, state, subnetLimit: 2 };
  await world.run(publish(parts, plan, () => {}, never));
  // They tell the network by themselves.
  await world.clock.advance(120_000);
  const [stranger] = await world.grow(1, ["store"], {
    store: { deficitMax: 10 },
  });
  const rows = await Promise.all(
    stores.map((one) => one.state.fragmentsOf(plan.tesseraId, never)),
  );
  const [victim, repairer] = stores;
  const [lost, own] = rows.map((of) => of[0]!.index);
  return {
    world,
    plan,
    home: home!,
    stranger: stranger!,
    victim: victim!,
    repairer: repairer!,
    lost: lost!,
    own: own!,
  };
}

function wordOf(
  { node: { identity } }: {
    readonly node: Pick<Inhabitant["node"], "identity">;
  },
  plan: Plan,
  { world, indices }: {
    readonly world: World;
    readonly indices: readonly number[];
  },
): Uint8Array {
  const nowMs = world.clock.nowMs();
  return signProviderRecord({
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    indices,
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, identity).bytes;
}

/** Brings a copy. */
async function bring(
  world: World,
  { from, to, plan, index, indices }: {
    readonly from: Inhabitant;
    readonly to: Inhabitant;
    readonly plan: Plan;
    readonly index: number;
    /** What the sender says it keeps, when it says that it repairs. */
    readonly indices?: readonly number[];
  },
) {
  const own = indices?.[0] ?? index;
  await using reader = await from.archive.openFragment(plan, own, never);
  const bytes = new Uint8Array(plan.shardBytes);
  await reader!.read(0, bytes, never);
  return await world.run(from.node.ask(
    to.node.record(),
    {
      type: "put_fragment",
      plan: plan.bytes,
      index,
      bulk: bytes.length,
      ...(indices && { repair: wordOf(from, plan, { world, indices }) }),
    },
    { bulk: bulkOf(bytes) },
    never,
  ));
}

Deno.test("what a holder makes anew of what is lost is no debt of its own", async () => {
  const { world, plan, victim, repairer, stranger, lost, own } = await scene(1);
  await using _world = world;
  world.crash(victim);
  const put = { from: repairer, to: stranger, plan, index: lost };
  await bring(world, { ...put, indices: [own] });
  const [row] = await stranger.state.fragmentsOf(plan.tesseraId, never);
  assertEquals([row!.index, row!.isRepair], [lost, true]);
  const ledger = await stranger.state.care.ledger(repairer.node.id, never);
  assertEquals(ledger, undefined);
});

Deno.test("what somebody else still keeps is charged, though its sender repairs", async () => {
  const { world, plan, repairer, stranger, lost, own } = await scene(2);
  await using _world = world;
  const put = { from: repairer, to: stranger, plan, index: lost };
  await assertRejectsCode(
    bring(world, { ...put, indices: [own] }),
    "refused",
    /may owe 10 bytes/,
  );
  assertEquals(
    stranger.runtime.counters.get("fragment.repair_unseen"),
    1,
  );
});

Deno.test("so is what comes from somebody who cannot show what it says it keeps", async () => {
  const { world, plan, victim, home, repairer, stranger, lost, own } =
    await scene(3);
  await using _world = world;
  world.crash(victim);
  // It has the bytes and no role that shows them.
  const put = { to: stranger, plan, index: lost };
  await assertRejectsCode(
    bring(world, { ...put, from: home, indices: [own] }),
    "refused",
    /may owe/,
  );
  // What it brings it cannot have kept.
  await assertRejectsCode(
    bring(world, { ...put, from: repairer, index: own, indices: [own] }),
    "refused",
    /may owe/,
  );
  assertEquals(stranger.runtime.counters.get("fragment.stored"), 0);
});

Deno.test("names that only say they keep the rest help nobody to publish for nothing", async () => {
  const world = new World(4);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  const keepers = await world.grow(2, ["dht"]);
  const [home] = await world.grow(1, []);
  const [owner] = await world.grow(1, ["store"]);
  const [stranger] = await world.grow(1, ["store"], {
    store: { deficitMax: 10 },
  });
  const { plan } = await keep(home!, creator(4), BYTES);
  await bring(world, { from: home!, to: owner!, plan, index: 0 });
  const names: Rogue[] = [];
  for (const index of [1, 2, 3, 4, 5]) {
    const name = await world.rogue(
      () => Promise.resolve({ response: { type: "nodes", records: [] } }),
      CAPABILITIES.STORAGE,
    );
    names.push(name);
    const record = wordOf({ node: name }, plan, { world, indices: [index] });
    const entries = [{ record, holder: name.record.bytes }];
    for (const { node } of keepers) {
      const { response } = await world.run(
        name.peers.ask(node.record(), { type: "store", entries }, {}, never),
      );
      assertEquals(response.accepted, 1);
    }
  }
  await assertRejectsCode(
    bring(world, {
      from: owner!,
      to: stranger!,
      plan,
      index: 6,
      indices: [0],
    }),
    "refused",
    /may owe/,
  );
  const asked = stranger!.runtime.counters;
  assertEquals(asked.get("audit.passed"), 1);
  assertEquals(asked.get("audit.unanswered"), 3);
});
