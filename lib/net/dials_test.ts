import type { Address } from "@tesseras/core";
import {
  DIAL_BURST_MS,
  DIAL_TIMEOUT_MS,
  DIALS_MAX,
  MIB,
} from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import type { NodeRecord } from "@tesseras/wire";
import {
  fragmentOf,
  identityOf,
  never,
  recordOf,
  type TestNode,
} from "./node_for_tests.ts";
import { askPing, startNodes, World } from "./world_for_tests.ts";

Deno.test("all who ask one peer at once share one dial", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const asks = Array.from({ length: 40 }, () => askPing(b, a.record));
  await world.clock.run(Promise.all(asks));
  assertEquals(b.counted("peers.dialled"), 1);
  assertEquals(a.counted("hello.accepted"), 1);
});

Deno.test("makes room for a new dial, and refuses it when every connection is in use", async () => {
  await using world = new World(1);
  const b = await world.node(50, { dialledMax: 2 });
  const [a, c, d] = await startNodes(world, 3) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  await world.clock.run(askPing(b, a.record));
  await world.clock.run(askPing(b, c.record));
  await world.clock.run(askPing(b, d.record));
  await world.clock.advance(1_000);
  assertEquals(a.peers.sessions(), []);
  assertEquals(b.peers.sessions().length, 2);
  const reads = await world.clock.run(
    Promise.all(
      [c, d].map((to) =>
        b.peers.ask(to.record, fragmentOf(4 * MIB), {}, never)
      ),
    ),
  );
  await assertRejectsCode(askPing(b, a.record), "overloaded");
  assertEquals(b.counted("peers.dials_full"), 1);
  for (const { bulk } of reads) bulk![Symbol.dispose]();
  await world.clock.run(askPing(b, a.record));
});

Deno.test("tries the addresses in order and stops at the first that answers", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const dead: Address = { ip: "203.0.113.200", port: 4433 };
  const other = await world.node(3);
  const record = recordOf(
    a.self.identity,
    [dead, other.transport.local, a.transport.local],
    world.clock.nowMs(),
  );
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(askPing(b, record));
  const tookMs = world.clock.monotonicMs() - sinceMs;
  assertTrue(tookMs >= DIAL_TIMEOUT_MS && tookMs < DIAL_TIMEOUT_MS + 1000);
  assertEquals(other.peers.sessions(), []);
});

Deno.test("refuses a liar at the only address, and says so", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const stranger = await identityOf(77);
  const dead: Address = { ip: "203.0.113.200", port: 4433 };
  const addresses = [dead, a.transport.local];
  const record = recordOf(stranger, addresses, world.clock.nowMs());
  await world.clock.run(assertRejectsCode(askPing(b, record), "forged"));
});

Deno.test("waits longer after each failed dial, and not at all for a newer record", async () => {
  await using world = new World(1);
  const b = await world.node(2);
  const identity = await identityOf(1);
  const address = world.addressOf(1);
  const recordNow = () => recordOf(identity, [address], world.clock.nowMs());
  const record = recordNow();
  const fail = (code: "unreachable", message: RegExp) =>
    world.clock.run(assertRejectsCode(askPing(b, record), code, message));
  await fail("unreachable", /Cannot dial .* at 203/);
  await fail("unreachable", /failed 1 times/);
  await world.clock.advance(1_000);
  await fail("unreachable", /Cannot dial .* at 203/);
  await fail("unreachable", /failed 2 times/);
  assertEquals(b.counted("peers.dial_backoff"), 2);
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(
    assertRejectsCode(askPing(b, recordNow()), "unreachable"),
  );
  assertTrue(world.clock.monotonicMs() - sinceMs >= DIAL_TIMEOUT_MS);
  // Its return forgives everything.
  await world.clock.advance(5_000);
  await world.node(1);
  await world.clock.run(askPing(b, recordNow()));
});

Deno.test("few dials begin at once, whatever is asked, and silent ones make way for the next", async () => {
  await using world = new World(1);
  const b = await world.node(2);
  const records: NodeRecord[] = [];
  for (let seed = 100; seed < 100 + 3 * DIALS_MAX; seed++) {
    const identity = await identityOf(seed);
    records.push(
      recordOf(identity, [world.addressOf(seed)], world.clock.nowMs()),
    );
  }
  const sinceMs = world.clock.monotonicMs();
  const asks = records.map((record) =>
    assertRejectsCode(askPing(b, record), "unreachable")
  );
  await world.clock.run(Promise.all(asks));
  const tookMs = world.clock.monotonicMs() - sinceMs;
  assertEquals(tookMs, 2 * DIAL_BURST_MS + DIAL_TIMEOUT_MS);
});

Deno.test("a dial that nobody waits for any more is stopped, and hurts nobody who comes next", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const stop = new AbortController();
  const given = assertRejectsCode(
    askPing(b, a.record, stop.signal),
    "cancelled",
  );
  stop.abort();
  const next = askPing(b, a.record);
  await given;
  await world.clock.run(next);
  assertEquals(b.counted("peers.dialled"), 1);
  assertEquals(b.counted("peers.dial_failed"), 0);
});
