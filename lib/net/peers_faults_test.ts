import { equal, TesserasError } from "@tesseras/core";
import {
  CONNECTION_IDLE_MS,
  DUPLICATE_LINGER_MS,
  MIB,
} from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { bulkOf, collectBulk } from "./bulk.ts";
import { CLOSE, dialHello } from "./hello.ts";
import {
  fragmentOf,
  identityOf,
  never,
  patternBytes,
  putOf,
  type TestNode,
} from "./node_for_tests.ts";
import type { Connection } from "./transport.ts";
import { askPing, startNodes, World } from "./world_for_tests.ts";

Deno.test("a flood of connections meets the caps, and an honest node is served meanwhile", async () => {
  await using world = new World(1);
  const node = await world.node(1, {
    limits: { connectionsMax: 30, connectionsPerIpMax: 8 },
  });
  const honest = await world.node(2);
  await world.clock.run(askPing(honest, node.record));
  const { publicKey } = node.record;
  // One attacker dials from one address and never proves who it is.
  const attacker = await world.bare(3);
  const dials = Array.from({ length: 200 }, async () => {
    try {
      await attacker.transport.dial(node.transport.local, { publicKey }, never);
    } catch (error) {
      assertTrue(error instanceof TesserasError && error.code === "refused");
    }
  });
  await world.clock.advance(500);
  await world.clock.run(askPing(honest, node.record));
  await world.clock.run(Promise.all(dials));
  assertTrue(node.counted("admission.address_full") >= 190);
  assertEquals(node.counted("admission.connections_full"), 0);
  await world.clock.advance(10_000);
  assertTrue(node.counted("hello.timeout") >= 1);
  assertEquals(node.peers.sessions().length, 1);
  await world.clock.run(askPing(honest, node.record));
});

Deno.test("many addresses meet the cap on all connections, and places come back", async () => {
  await using world = new World(1);
  const node = await world.node(1, { limits: { connectionsMax: 10 } });
  const outcomes: string[] = [];
  const asks: Promise<unknown>[] = [];
  const visitors: TestNode[] = [];
  for (let seed = 2; seed < 32; seed++) {
    const visitor = await world.node(seed);
    visitors.push(visitor);
    asks.push(
      askPing(visitor, node.record).then(
        () => outcomes.push("ok"),
        (error: TesserasError) => outcomes.push(error.code),
      ),
    );
  }
  await world.clock.run(Promise.all(asks));
  assertEquals(outcomes.filter((outcome) => outcome === "ok").length, 10);
  assertTrue(
    outcomes.every((code) => ["ok", "overloaded", "refused"].includes(code)),
    outcomes.join(),
  );
  assertTrue(node.counted("admission.connections_full") >= 20);
  await world.clock.advance(2 * CONNECTION_IDLE_MS);
  assertEquals(node.peers.sessions(), []);
  const late = await world.node(40);
  await world.clock.run(askPing(late, node.record));
});

Deno.test("one identity holds two connections at most, the newest among them", async () => {
  await using world = new World(1);
  const node = await world.node(1);
  const { transport, self, runtime } = await world.bare(2);
  const opened: Connection[] = [];
  let closedCount = 0;
  for (let i = 0; i < 6; i++) {
    const connection = await world.clock.run(
      transport.dial(node.transport.local, node.record, never),
    );
    opened.push(connection);
    connection.closed.then(() => closedCount++);
    const parts = { self, runtime, pinned: node.record };
    await world.clock.run(dialHello(connection, parts, never));
    await world.clock.advance(100);
  }
  assertEquals(node.peers.sessions().length, 2);
  assertEquals([closedCount, node.counted("peers.duplicate_closed")], [4, 4]);
  await world.clock.advance(2 * DUPLICATE_LINGER_MS);
  assertEquals(node.peers.sessions().length, 1);
  opened.at(-1)!.close(0, "");
  await world.clock.advance(100);
  assertEquals(node.peers.sessions(), []);
});

Deno.test("the application has the last word on a proven peer", async () => {
  await using world = new World(1);
  const unwanted = await identityOf(2);
  const node = await world.node(1, {
    allow: (peer) => !equal(peer.id, unwanted.id),
  });
  const [b, c] = [await world.node(2), await world.node(3)];
  await world.clock.run(
    assertRejectsCode(askPing(b, node.record), "refused", /"policy"/),
  );
  await world.clock.run(askPing(c, node.record));
  assertEquals(node.counted("admission.policy_refused"), 1);
  assertEquals(node.peers.sessions().length, 1);
});

Deno.test("an abort in the middle of a transfer leaves nothing open at either end", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const stop = new AbortController();
  const bulk = bulkOf(patternBytes(16 * MIB));
  const putting = assertRejectsCode(
    b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, stop.signal),
    "cancelled",
  );
  const getting = await world.clock.run(
    b.peers.ask(a.record, fragmentOf(16 * MIB), {}, stop.signal),
  );
  await world.clock.run(getting.bulk!.read(stop.signal));
  stop.abort();
  await putting;
  await assertRejectsCode(collectBulk(getting.bulk!, stop.signal), "cancelled");
  assertEquals(b.peers.sessions()[0]?.busyCount, 0);
  await world.clock.advance(1_000);
  assertEquals(a.peers.sessions()[0]?.busyCount, 0);
  await world.clock.run(askPing(b, a.record));
});

Deno.test("octets reach a holder over a slow line, though they wait long in buffers", async () => {
  await using world = new World(1, { bytesPerSecond: 64_000 });
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const bytes = patternBytes(2 * MIB);
  const bulk = bulkOf(bytes);
  const { response } = await world.clock.run(
    b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never),
  );
  assertEquals(response.type, "kept");
  const given = await world.clock.run(
    b.peers.ask(a.record, fragmentOf(2 * MIB), {}, never),
  );
  const read = await world.clock.run(collectBulk(given.bulk!, never));
  assertTrue(equal(read, bytes));
});

Deno.test("stopping fails what is under way and leaves no session anywhere", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  const bulk = bulkOf(patternBytes(16 * MIB));
  const putting = assertRejectsCode(
    b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never),
    "cancelled",
  );
  await world.clock.advance(100);
  await b[Symbol.asyncDispose]();
  await world.clock.run(putting);
  await assertRejectsCode(askPing(b, a.record), "cancelled");
  await world.clock.advance(1_000);
  assertEquals([a.peers.sessions(), b.peers.sessions()], [[], []]);
});

Deno.test("a dialer in the middle of its hello is told that the node leaves, not that it is unwelcome", async () => {
  await using world = new World(1);
  const a = await world.node(1);
  const { transport } = await world.bare(2);
  const { publicKey } = a.self.identity;
  const expect = { publicKey };
  const connection = await world.clock.run(
    transport.dial(a.transport.local, expect, never),
  );
  await world.clock.advance(100);
  await a[Symbol.asyncDispose]();
  const { code } = await world.clock.run(connection.closed);
  assertEquals(code, CLOSE.leaving);
  assertEquals(a.counted("hello.unfinished"), 0);
});

Deno.test("a partition ends sessions, and healing brings them back", async () => {
  await using world = new World(1);
  const all = await startNodes(world, 6);
  const [left, right] = [all.slice(0, 3), all.slice(3)];
  const everyone = () =>
    left.flatMap((from) => right.map((to) => askPing(from, to.record)));
  await world.clock.run(Promise.all(everyone()));
  const here = left.map((node) => node.transport.local);
  world.network.partition(here, right.map((node) => node.transport.local));
  const failed = await world.clock.run(Promise.allSettled(everyone()));
  assertTrue(failed.every(({ status }) => status === "rejected"));
  world.network.heal();
  await world.clock.advance(10_000);
  await world.clock.run(Promise.all(everyone()));
});
