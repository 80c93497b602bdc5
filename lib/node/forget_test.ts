/** Tombstones from their creator to the holders, in a small network. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { equal, keyOf, type TesseraId } from "@tesseras/core";
import { TOMBSTONE_TTL_MS } from "@tesseras/core/limits";
import type { CreatorKeys } from "@tesseras/crypto";
import { creatorOf, signTombstone, tombstoneExpiry } from "@tesseras/tessera";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { type ForgetEvent, Forgetter } from "./forget.ts";
import { join } from "./join.ts";
import { publish } from "./publish.ts";

async function network(world: World, holderCount: number) {
  const [entry] = await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const stores = await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  return { home: home!, stores, entry: entry! };
}

async function published(world: World, home: Inhabitant, keys: CreatorKeys) {
  const { id, plan } = await keep(home, keys, 2_000);
  const { node, archive, state } = home;
  const parts = { node, archive, state, subnetLimit: 2 };
  const report = await world.run(publish(parts, plan, () => {}, never));
  return { id, plan, holders: [...report.holders.values()] };
}

/** Writes down what `tes delete --everywhere` does. */
async function bury(
  world: World,
  { state }: Inhabitant,
  { id, keys, planHash, agoMs = 0 }: {
    readonly id: TesseraId;
    readonly keys: CreatorKeys;
    readonly agoMs?: number;
    readonly planHash?: Parameters<typeof state.care.placements>[0];
  },
) {
  const tombstone = signTombstone(
    { tesseraId: id, createdAtMs: world.clock.nowMs() - agoMs },
    keys,
  );
  const key = { tesseraId: id, creator: creatorOf(keys.publicKeys) };
  await state.care.putTombstones([{
    ...key,
    bytes: tombstone.bytes,
    createdAtMs: tombstone.createdAtMs,
    expiresAtMs: tombstoneExpiry(tombstone),
    isOurs: true,
  }], never);
  const placements = planHash === undefined
    ? []
    : await state.care.placements(planHash, never);
  await state.care.putCoverage(
    placements.map(({ holder, record }) => ({
      ...key,
      holder,
      record,
      toldAtMs: undefined,
      confirmedAtMs: undefined,
    })),
    never,
  );
  return key;
}

const keptBy = (stores: readonly Inhabitant[], id: TesseraId) =>
  Promise.all(
    stores.map(async ({ state }) =>
      (await state.fragmentsOf(id, never)).length
    ),
  );

Deno.test("every holder that is there forgets, and one that comes back is told then", async () => {
  const world = new World(41);
  await using _world = world;
  const { home, stores, entry } = await network(world, 8);
  const keys = creator(41);
  const { id, plan, holders } = await published(world, home, keys);
  const away = stores.find(({ node }) =>
    holders.some((holder) => equal(holder.id, node.id))
  )!;
  world.crash(away);
  const key = await bury(world, home, { id, keys, planHash: plan.hash });
  await home.archive.remove(id, never);
  const forgetter = new Forgetter(home);
  const events: ForgetEvent[] = [];
  const coverage = await world.run(
    forgetter.tell(key, (event) => events.push(event), never),
  );
  assertEquals(coverage.length, holders.length);
  const missing = coverage.filter((row) => row.confirmedAtMs === undefined);
  assertEquals(missing.map((row) => keyOf(row.holder)), [keyOf(away.node.id)]);
  assertEquals(missing[0]!.toldAtMs, undefined);
  const there = stores.filter((one) => one !== away);
  assertEquals(new Set(await keptBy(there, id)), new Set([0]));
  assertEquals((await keptBy([away], id))[0]! > 0, true);
  assertEquals(
    events.filter(({ type }) => type === "unconfirmed").length,
    1,
  );

  const back = await world.restart(away, ["store"]);
  await world.run(join(back.node, [entry.address], never));
  home.node.spawn((signal) => new Forgetter(home).runForever(signal));
  await world.run(world.clock.sleep(3_600_000, never));
  assertEquals(await keptBy([back], id), [0]);
  const now = await home.state.care.coverage(key, never);
  assertTrue(now.every((row) => row.confirmedAtMs !== undefined));
  assertEquals(
    home.runtime.counters.get("tombstone.confirmed"),
    holders.length,
  );
});

Deno.test("holders nobody wrote down are found by a lookup", async () => {
  const world = new World(42);
  await using _world = world;
  const { home, stores } = await network(world, 7);
  const keys = creator(42);
  const { id } = await published(world, home, keys);
  const key = await bury(world, home, { id, keys });
  const forgetter = new Forgetter(home);
  const coverage = await world.run(forgetter.tell(key, () => {}, never));
  assertEquals(coverage.length, 7);
  assertEquals(new Set(await keptBy(stores, id)), new Set([0]));
});

Deno.test("the telling ends when the tombstone's time is up", async () => {
  const world = new World(46);
  await using _world = world;
  const { home } = await network(world, 1);
  const keys = creator(46);
  const { id } = await keep(home, keys, 500);
  const agoMs = TOMBSTONE_TTL_MS - 600_000;
  const key = await bury(world, home, { id, keys, agoMs });
  const forgetter = new Forgetter(home);
  home.node.spawn((signal) => forgetter.runForever(signal));
  await world.run(world.clock.sleep(1_200_000, never));
  assertEquals(await home.state.care.ownTombstones(never), []);
  await assertRejectsCode(
    world.run(forgetter.tell(key, () => {}, never)),
    "missing",
  );
  const late = await bury(world, home, { id, keys, agoMs: TOMBSTONE_TTL_MS });
  await assertRejectsCode(
    world.run(forgetter.tell(late, () => {}, never)),
    "refused",
    /it ran out/,
  );
});

Deno.test("a holder of what another creator signed keeps it, and is counted as told, never as confirmed", async () => {
  const world = new World(43);
  await using _world = world;
  const { home, stores } = await network(world, 7);
  const { id } = await published(world, home, creator(43));
  const before = await keptBy(stores, id);
  const key = await bury(world, home, { id, keys: creator(44) });
  const forgetter = new Forgetter(home);
  const coverage = await world.run(forgetter.tell(key, () => {}, never));
  assertEquals(coverage.length, 7);
  assertTrue(
    coverage.every((row) =>
      row.toldAtMs !== undefined && row.confirmedAtMs === undefined
    ),
  );
  assertEquals(await keptBy(stores, id), before);
});

Deno.test("a tombstone of another is not passed on as ours", async () => {
  const world = new World(45);
  await using _world = world;
  const { home } = await network(world, 1);
  const keys = creator(45);
  const { id } = await keep(home, keys, 500);
  const key = { tesseraId: id, creator: creatorOf(keys.publicKeys) };
  const { bytes, createdAtMs } = signTombstone(
    { tesseraId: id, createdAtMs: world.clock.nowMs() },
    keys,
  );
  const expiresAtMs = tombstoneExpiry({ tesseraId: id, createdAtMs });
  await home.state.care.putTombstones([
    { ...key, bytes, createdAtMs, expiresAtMs, isOurs: false },
  ], never);
  await assertRejectsCode(
    world.run(new Forgetter(home).tell(key, () => {}, never)),
    "missing",
    /no tombstone of ours/,
  );
});
