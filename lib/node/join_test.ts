import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  BUCKET_REFRESH_MS,
  NODE_RECORD_TTL_MS,
} from "@tesseras/core/limits";
import { BUCKET_COUNT, bucketIndex } from "@tesseras/kad";
import { never, World } from "@tesseras/testing/sim";
import { join, refreshForever, savedPeers, savePeers } from "./join.ts";

const dead = (host: number) => ({ ip: `12.0.0.${host}`, port: 4433 });

Deno.test("dead entries do not hold up who has found a living one", async () => {
  const world = new World(1);
  await using _world = world;
  const [seed] = await world.grow(3, ["dht"]);
  const one = await world.add(["dht"]);
  const beganMs = world.clock.monotonicMs();
  const entries = [...Array(20).keys()].map(dead);
  const report = await world.run(
    join(one.node, [seed!.address, ...entries], never),
  );
  assertEquals(report, { answered: 1, tried: 21, known: 3 });
  const tookMs = world.clock.monotonicMs() - beganMs;
  assertTrue(tookMs < 4_500, `${tookMs} ms`);
});

Deno.test("a single entry is not waited for once it has answered", async () => {
  const world = new World(2);
  await using _world = world;
  const [seed] = await world.grow(3, ["dht"]);
  const one = await world.add(["dht"]);
  const beganMs = world.clock.monotonicMs();
  await world.run(join(one.node, [seed!.address], never));
  assertTrue(world.clock.monotonicMs() - beganMs < 1_000);
});

Deno.test("a first entry that names nobody does not cut us off from the others", async () => {
  const world = new World(3);
  await using _world = world;
  await world.grow(6, ["dht"]);
  const rogue = await world.rogue((_from, request) =>
    Promise.resolve({
      response: request.type === "ping"
        ? { type: "pong", record: rogue.record.bytes, observed: dead(1) }
        : { type: "nodes", records: [] },
    })
  );
  const one = await world.add(["dht"]);
  world.network.setLink(one.address, world.inhabitants[0]!.address, {
    latencyMs: 120,
  });
  const report = await world.run(
    join(one.node, [rogue.record, world.inhabitants[0]!.address], never),
  );
  assertEquals(report.answered, 2);
  await world.clock.advance(10_000);
  assertEquals(one.node.table.size, 7);
});

Deno.test("with nobody there a join says whom it tried, and with nobody to ask it is done", async () => {
  const world = new World(4);
  await using _world = world;
  const one = await world.add(["dht"]);
  await assertRejectsCode(
    world.run(join(one.node, [dead(1), one.address], never)),
    "unreachable",
    /none of 2 known peers answered \(.*12\.0\.0\.1:4433/,
  );
  assertEquals(await world.run(join(one.node, [], never)), {
    answered: 0,
    tried: 0,
    known: 0,
  });
});

Deno.test("a join stops as soon as it is told to", async () => {
  const world = new World(5);
  await using _world = world;
  const one = await world.add(["dht"]);
  const stop = new AbortController();
  const joining = join(one.node, [dead(1), dead(2)], stop.signal);
  stop.abort();
  await assertRejectsCode(world.run(joining), "cancelled");
});

Deno.test("saved peers come back by when they were last heard of; surplus ones are forgotten, unreadable ones passed over", async () => {
  const world = new World(6);
  await using _world = world;
  await world.grow(5, ["dht"]);
  const one = world.inhabitants[0]!;
  await world.clock.advance(120_000);
  const friend = world.inhabitants[2]!;
  await world.run(one.node.ping(friend.node.record(), never));
  const rows = Array.from({ length: 300 }, (_, number) => ({
    id: friend.node.id.map((byte, at) =>
      at > 17 ? byte ^ (number + 1) >> (8 * (at - 18)) : byte
    ) as typeof friend.node.id,
    record: new Uint8Array(5),
    lastSeenMs: 1_000 + number,
  }));
  await one.state.putPeers(rows, never);
  await savePeers(one.node, one.state, never);
  assertEquals((await one.state.peers(1_000, never)).length, 200);
  const saved = await savedPeers(one.node, one.state, never);
  assertEquals(saved.length, 4);
  assertEquals(keyOf(saved[0]!.id), keyOf(friend.node.id));
  assertEquals(one.runtime.counters.get("record.refused"), 196);
});

Deno.test("records of peers that stay in touch are renewed before they run out", async () => {
  const world = new World(7);
  await using _world = world;
  const [one, two] = await world.grow(2, ["dht"]);
  one!.node.spawn((signal) =>
    refreshForever(one!.node, 100 * NODE_RECORD_TTL_MS, signal)
  );
  const first = one!.node.table.get(two!.node.id)!;
  two!.node.spawn((signal) => refreshForever(two!.node, 3_600_000, signal));
  await world.clock.advance(NODE_RECORD_TTL_MS);
  const later = one!.node.table.get(two!.node.id)!;
  assertTrue(later.sequence > first.sequence);
  assertTrue(later.expiresAtMs > world.clock.nowMs());
});

Deno.test("a quiet node looks round itself and into the far buckets that can hold anybody, once in an hour", async () => {
  const world = new World(8);
  await using _world = world;
  const [one] = await world.grow(30, ["dht"]);
  const { node, runtime } = one!;
  const near = node.table.closest(node.id, BUCKET_PEERS_MAX);
  const last = bucketIndex(node.id, near[BUCKET_PEERS_MAX - 1]!.id);
  const farCount = BUCKET_COUNT - node.powBits - last;
  const before = runtime.counters.get("lookup.done");
  node.spawn((signal) => refreshForever(node, BUCKET_REFRESH_MS, signal));
  await world.clock.advance(1.05 * BUCKET_REFRESH_MS);
  const lookups = runtime.counters.get("lookup.done") - before;
  assertTrue(lookups >= 1 && lookups <= 1 + farCount, `${lookups} lookups`);
  assertTrue(farCount < node.powBits, `${farCount} far buckets`);
});
