import { assertEquals, assertTrue } from "@tesseras/testing";
import { hash, keyOf, type TesseraId, tesseraId } from "@tesseras/core";
import { PROVIDERS_PER_KEY_MAX } from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { never, World } from "@tesseras/testing/sim";
import { CAPABILITIES, signProviderRecord } from "@tesseras/wire";
import { type Provider, storeProviders } from "./pointers.ts";
import { findProviders } from "./providers.ts";

function provider(
  world: World,
  holder: NodeSigner,
  id: TesseraId,
  sequence = world.clock.nowMs(),
): Provider {
  const record = signProviderRecord({
    tesseraId: id,
    planHash: hash(new Uint8Array(32).fill(1)),
    indices: [0],
    sequence,
    expiresAtMs: sequence + 3_600_000,
  }, holder);
  const address = { ip: "12.0.0.1", port: 4433 };
  return { record, holder: world.recordOf(holder, [address]) };
}

const bytesOf = ({ record, holder }: Provider) => ({
  record: record.bytes,
  holder: holder.bytes,
});

/** A keeper of pointers that answers `find_value` with these pages, over and over. */
async function lyingKeeper(
  world: World,
  page: (skip: number) => readonly ReturnType<typeof bytesOf>[],
  more = 0,
) {
  const rogue = await world.rogue((_from, request) => {
    switch (request.type) {
      case "find_value": {
        const providers = page(request.skip);
        return Promise.resolve({
          response: { type: "providers", providers, more, nodes: [] },
        });
      }
      case "store":
        return Promise.resolve({
          response: { type: "stored", accepted: 20, refused: 0 },
        });
      default:
        return Promise.resolve({ response: { type: "nodes", records: [] } });
    }
  }, CAPABILITIES.DHT);
  const entry = world.inhabitants[0]!.node.record();
  await world.run(
    rogue.peers.ask(
      entry,
      { type: "find_node", target: entry.id, want: 0 },
      {},
      never,
    ),
  );
  return rogue;
}

Deno.test("records of other tesseras, of others' addresses and bent ones are passed over and counted", async () => {
  const world = new World(1);
  await using _world = world;
  const [one] = await world.grow(2, ["dht"]);
  const [holder, other] = [await world.identity(), await world.identity()];
  const id = tesseraId(world.random.bytes(32));
  const good = bytesOf(provider(world, holder, id));
  const bent = good.record.slice();
  bent[50]! ^= 1;
  await lyingKeeper(world, () => [
    good,
    bytesOf(provider(world, holder, tesseraId(world.random.bytes(32)))),
    { ...good, holder: bytesOf(provider(world, other, id)).holder },
    { ...good, record: bent },
    { ...good, record: good.holder },
  ]);
  const found = await world.run(findProviders(one!.node, id, never));
  assertEquals(found.map(({ record }) => keyOf(record.holder)), [
    keyOf(holder.id),
  ]);
  assertEquals(one!.runtime.counters.get("provider.misfit"), 2);
  assertEquals(one!.runtime.counters.get("provider.refused"), 2);
});

Deno.test("of several words of one holder the newest counts, whoever brings it", async () => {
  const world = new World(2);
  await using _world = world;
  const [one] = await world.grow(2, ["dht"]);
  const holder = await world.identity();
  const id = tesseraId(world.random.bytes(32));
  const nowMs = world.clock.nowMs();
  for (const back of [2, 0, 1]) {
    await lyingKeeper(world, () => [
      bytesOf(provider(world, holder, id, nowMs - back)),
    ]);
  }
  const found = await world.run(findProviders(one!.node, id, never));
  assertEquals(found.map(({ record }) => record.sequence), [nowMs]);
});

Deno.test("a keeper that always has more is read no further than an honest one could fill", async () => {
  const world = new World(3);
  await using _world = world;
  const [one] = await world.grow(1, ["bootstrap"]);
  const id = tesseraId(world.random.bytes(32));
  const holder = await world.identity();
  let pageCount = 0;
  await lyingKeeper(world, () => {
    pageCount++;
    return [bytesOf(provider(world, holder, id))];
  }, 99_999);
  const found = await world.run(findProviders(one!.node, id, never));
  assertEquals(found.length, 1);
  assertEquals(pageCount, Math.ceil(PROVIDERS_PER_KEY_MAX / 20));
});

Deno.test("an old address beside the newest word hides no newer one, whichever keeper answers first", async () => {
  const world = new World(9);
  await using _world = world;
  const [one] = await world.grow(1, ["bootstrap"]);
  const id = tesseraId(world.random.bytes(32));
  const holder = await world.identity();
  const old = provider(world, holder, id);
  await world.clock.advance(60_000);
  const now = provider(world, holder, id);
  for (const told of [old, now, old]) {
    const page = bytesOf({ record: now.record, holder: told.holder });
    await lyingKeeper(world, () => [page]);
  }
  const [found] = await world.run(findProviders(one!.node, id, never));
  assertEquals(found?.record.sequence, now.record.sequence);
  assertEquals(found?.holder.sequence, now.holder.sequence);
});

Deno.test("a keeper that falls silent after its first page has still answered", async () => {
  const world = new World(4);
  await using _world = world;
  const [one] = await world.grow(1, ["bootstrap"]);
  const id = tesseraId(world.random.bytes(32));
  const holder = await world.identity();
  await lyingKeeper(world, (skip) => {
    if (skip > 0) throw new RangeError("a bug of theirs");
    return [bytesOf(provider(world, holder, id))];
  }, 5);
  const found = await world.run(findProviders(one!.node, id, never));
  assertEquals(found.length, 1);
  assertEquals(one!.runtime.counters.get("provider.page_missing"), 1);
  assertEquals(one!.runtime.counters.get("lookup.question_failed"), 0);
});

Deno.test("a keeper that says it took more than it was given counts as one that took it", async () => {
  const world = new World(5);
  await using _world = world;
  const [one] = await world.grow(1, ["bootstrap"]);
  await lyingKeeper(world, () => []);
  const id = tesseraId(world.random.bytes(32));
  const given = provider(world, await world.identity(), id);
  const report = await world.run(storeProviders(one!.node, id, [given], never));
  assertEquals(report, { keeperCount: 1, askedCount: 1 });
});

Deno.test("more providers than fit one message are stored and found again", async () => {
  const world = new World(6);
  await using _world = world;
  const [one] = await world.grow(4, ["dht"]);
  const id = tesseraId(world.random.bytes(32));
  const crowd: Provider[] = [];
  for (let i = 0; i < 45; i++) {
    crowd.push(provider(world, await world.identity(), id));
  }
  const report = await world.run(storeProviders(one!.node, id, crowd, never));
  assertEquals(report.keeperCount, 4);
  const asker = world.inhabitants[3]!;
  const found = await world.run(findProviders(asker.node, id, never));
  assertEquals(found.length, 45);
});

Deno.test("nobody near takes part: nothing is stored, and that is said", async () => {
  const world = new World(7);
  await using _world = world;
  const [one] = await world.grow(3, ["bootstrap"]);
  const id = tesseraId(world.random.bytes(32));
  const given = provider(world, await world.identity(), id);
  const report = await world.run(storeProviders(one!.node, id, [given], never));
  assertEquals(report, { keeperCount: 0, askedCount: 0 });
  assertTrue(
    (await world.run(findProviders(one!.node, id, never))).length === 0,
  );
});
