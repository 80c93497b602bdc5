import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  Counters,
  equal,
  nodeId,
  RecordingLog,
  SeededRandom,
  VirtualClock,
} from "@tesseras/core";
import { LOOKUP_TIMEOUT_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import { never, World } from "@tesseras/testing/sim";
import { CAPABILITIES } from "@tesseras/wire";
import { surroundingsOf } from "./explore.ts";
import { findNodes } from "./find.ts";
import { NetworkSize } from "./size.ts";

Deno.test("a small network is counted by any lookup, and those who keep nothing are left out", async () => {
  const world = new World(1);
  await using _world = world;
  await world.grow(2, ["bootstrap"]);
  await world.grow(9, ["dht"]);
  const [asker] = await world.grow(1, []);
  assertTrue((asker!.node.size.now() ?? 9) <= 9);
  const target = nodeId(world.random.bytes(20));
  await world.run(findNodes(asker!.node, target, {}, never));
  const elsewhere = nodeId(world.random.bytes(20));
  await world.run(findNodes(asker!.node, elsewhere, {}, never));
  assertEquals(asker!.node.size.now(), 9);
});

Deno.test("a node that has seen little looks at a few random points before it judges a key, and once only", async () => {
  const world = new World(2);
  await using _world = world;
  await world.grow(50, ["dht"]);
  const { node, runtime } = world.living[25]!;
  const key = nodeId(world.random.bytes(20));
  const before = runtime.counters.get("lookup.done");
  const around = await world.run(
    Promise.all([
      surroundingsOf(node, key, never),
      surroundingsOf(node, key, never),
    ]),
  );
  assertTrue(runtime.counters.get("lookup.done") - before <= 8);
  for (const one of around) {
    assertEquals(one?.powBits, node.powBits);
    assertTrue(one!.size > 30 && one!.size < 90, `${one!.size} of 50`);
  }
  const again = runtime.counters.get("lookup.done");
  await world.run(surroundingsOf(node, key, never));
  assertEquals(runtime.counters.get("lookup.done"), again);
});

Deno.test("lookups that never end hold up a judgement no longer than one may take", async () => {
  const clock = new VirtualClock();
  const size = new NetworkSize(POW_BITS_MIN, {
    clock,
    random: new SeededRandom(1),
    log: new RecordingLog(),
    counters: new Counters(),
  });
  const silent = (_: unknown, signal: AbortSignal) =>
    clock.sleep(LOOKUP_TIMEOUT_MS - 1, signal);
  const key = nodeId(new Uint8Array(20));
  const judged = size.besides(key, silent, never);
  assertEquals(await clock.run(judged), undefined);
  assertTrue(clock.monotonicMs() <= LOOKUP_TIMEOUT_MS);
});

Deno.test("what a lookup found that left somebody out, or wanted more than keepers, says nothing of the size", async () => {
  const world = new World(3);
  await using _world = world;
  await world.grow(5, ["dht", "store"]);
  const [asker] = await world.grow(1, []);
  const { node } = asker!;
  const known = node.size.now();
  const [left] = world.living;
  const target = nodeId(world.random.bytes(20));
  await world.run(
    findNodes(
      node,
      target,
      { exclude: (id) => equal(id, left!.node.id) },
      never,
    ),
  );
  const want = CAPABILITIES.DHT | CAPABILITIES.STORAGE;
  await world.run(findNodes(node, target, { want }, never));
  assertEquals(node.size.now(), known);
});

Deno.test("a node alone knows of no network", async () => {
  const world = new World(4);
  await using _world = world;
  const { node } = await world.add(["dht"]);
  const key = nodeId(world.random.bytes(20));
  assertEquals(await world.run(surroundingsOf(node, key, never)), undefined);
});
