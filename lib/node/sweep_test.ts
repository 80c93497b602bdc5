import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  hash,
  keyOf,
  keyOfTessera,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import { closer, isWithin, placeOf } from "@tesseras/kad";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { CAPABILITIES, signProviderRecord } from "@tesseras/wire";
import type { Provider } from "./pointers.ts";
import { Sweep } from "./sweep.ts";

function providerOf(
  world: World,
  { node }: Inhabitant,
  id: TesseraId,
): Provider {
  const nowMs = world.clock.nowMs();
  const record = signProviderRecord({
    tesseraId: id,
    planHash: hash(new Uint8Array(32).fill(1)),
    indices: [0],
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, node.identity);
  return { record, holder: node.record() };
}

// Some hundreds of handshakes, and 4,000 records written: longer than three seconds.
Deno.test("two hundred keys take a look at each region, and lie with the nodes nearest to each", async () => {
  const world = new World(1);
  await using _world = world;
  await world.grow(60, ["dht"]);
  const publisher = world.living[30]!;
  const sweep = new Sweep(publisher.node);
  const { powBits } = publisher.node;
  let rest = Array.from(
    { length: 200 },
    () => providerOf(world, publisher, tesseraId(world.random.bytes(32))),
  );
  const all = rest;
  const { counters } = publisher.runtime;
  const before = counters.get("lookup.done");
  const keyFor = (one: Provider) => keyOfTessera(one.record.tesseraId);
  let regions = 0;
  while (rest.length > 0) {
    const region = await world.run(sweep.regionAt(keyFor(rest[0]!), never));
    const isIn = (one: Provider) =>
      isWithin(region, placeOf(keyFor(one), powBits));
    const group = rest.filter(isIn);
    rest = rest.filter((one) => !isIn(one));
    assertEquals(await world.run(sweep.store(region, group, never)), []);
    regions++;
  }
  assertTrue(regions <= 8, `${regions} regions`);
  const lookups = counters.get("lookup.done") - before;
  assertTrue(lookups <= 30, `${lookups} lookups for 200 keys`);
  let [due, there] = [0, 0];
  for (const one of all.slice(0, 50)) {
    const key = keyFor(one);
    const nearest = world.living.toSorted((a, b) =>
      closer(key, a.node.id, b.node.id)
    ).slice(0, BUCKET_PEERS_MAX);
    for (const { state } of nearest) {
      due++;
      const rows = await state.pointers(one.record.tesseraId, never);
      if (rows.some((row) => keyOf(row.holder) === keyOf(publisher.node.id))) {
        there++;
      }
    }
  }
  assertTrue(there >= 0.97 * due, `${there} of ${due} records in place`);
});

Deno.test("with nobody to take them all records are given back", async () => {
  const world = new World(2);
  await using _world = world;
  await world.grow(3, ["bootstrap"]);
  const alone = world.living[1]!;
  const sweep = new Sweep(alone.node);
  const given = Array.from(
    { length: 5 },
    () => providerOf(world, alone, tesseraId(world.random.bytes(32))),
  );
  const key = keyOfTessera(given[0]!.record.tesseraId);
  const region = await world.run(sweep.regionAt(key, never));
  assertEquals(region.length, alone.node.powBits);
  assertEquals(await world.run(sweep.store(region, given, never)), given);
});

Deno.test("a keeper that takes nothing is given one message, not all of them", async () => {
  const world = new World(3);
  await using _world = world;
  const [publisher] = await world.grow(1, ["bootstrap"]);
  let stores = 0;
  const rogue = await world.rogue((_from, request) => {
    if (request.type !== "store") {
      return Promise.resolve({ response: { type: "nodes", records: [] } });
    }
    stores++;
    return Promise.resolve({
      response: {
        type: "stored",
        accepted: 0,
        refused: request.entries.length,
      },
    });
  }, CAPABILITIES.DHT);
  const target = publisher!.node.id;
  await world.run(
    rogue.peers.ask(
      publisher!.node.record(),
      { type: "find_node", target, want: 0 },
      {},
      never,
    ),
  );
  const given = Array.from(
    { length: 90 },
    () => providerOf(world, publisher!, tesseraId(world.random.bytes(32))),
  );
  const sweep = new Sweep(publisher!.node);
  const key = keyOfTessera(given[0]!.record.tesseraId);
  const region = await world.run(sweep.regionAt(key, never));
  const missed = await world.run(sweep.store(region, given, never));
  assertEquals([missed.length, stores], [90, 1]);
});
