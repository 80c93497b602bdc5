import {
  compare,
  equal,
  keyOf,
  SeededRandom,
  shuffled,
  TesserasError,
} from "@tesseras/core";
import {
  CONNECTION_IDLE_MS,
  DUPLICATE_LINGER_MS,
  MIB,
  REQUEST_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { collectBulk } from "./bulk.ts";
import {
  fragmentOf,
  handlerOf,
  never,
  putOf,
  type TestNode,
} from "./node_for_tests.ts";
import { askPing, startNodes, World } from "./world_for_tests.ts";

/** Fifty nodes ask eight others each, all at once, on a bad network; returns what happened on the wire. */
async function chatter(seed: number): Promise<string[]> {
  const trace: string[] = [];
  await using world = new World(seed, {
    latencyMs: [5, 80],
    lossRate: 0.01,
    trace: ({ atMs, what, from, to, bytes }) =>
      trace.push(`${atMs} ${what} ${from} ${to} ${bytes}`),
  });
  const all = await startNodes(world, 50);
  const random = new SeededRandom(seed);
  const asks = all.flatMap((from) =>
    shuffled(all, random).filter((to) => to !== from).slice(0, 8).map(
      async (to) => {
        const { response } = await askPing(from, to.record);
        assertTrue(equal(response.record, to.record.bytes));
      },
    )
  );
  await world.clock.run(Promise.all(asks));
  await world.clock.advance(2 * DUPLICATE_LINGER_MS);
  for (const node of all) {
    const met = node.peers.sessions().map(({ id }) => keyOf(id));
    assertEquals(new Set(met).size, met.length, "one session a peer");
    assertTrue(node.peers.sessions().every((s) => s.busyCount === 0));
  }
  return trace;
}

Deno.test("fifty nodes ask each other over one session a pair, and one seed has one history", async () => {
  const [first, again, other] = [
    await chatter(7),
    await chatter(7),
    await chatter(8),
  ];
  assertTrue(first.length > 10_000);
  assertTrue(first.join("\n") === again.join("\n"), "the same seed differs");
  assertTrue(first.join("\n") !== other.join("\n"), "two seeds agree");
});

Deno.test("both ends dial at once and agree on one connection, losing no request", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await using world = new World(seed, { latencyMs: [5, 80] });
    const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
    const length = 2 * MIB;
    const fetched = async (from: TestNode, to: TestNode): Promise<void> => {
      const { bulk } = await from.peers.ask(
        to.record,
        fragmentOf(length),
        {},
        never,
      );
      assertEquals((await collectBulk(bulk!, never)).length, length);
    };
    const asks = [a, b].flatMap((from) => {
      const to = from === a ? b : a;
      return [
        fetched(from, to),
        askPing(from, to.record),
        askPing(from, to.record),
      ];
    });
    await world.clock.run(Promise.all(asks));
    await world.clock.advance(2 * DUPLICATE_LINGER_MS);
    const lower = compare(a.record.id, b.record.id) < 0 ? a : b;
    for (const node of [a, b]) {
      const sessions = node.peers.sessions();
      assertEquals(sessions.map((s) => s.dialled), [node === lower]);
    }
    assertEquals(a.counted("rpc.failed") + b.counted("rpc.failed"), 0);
  }
});

Deno.test("a connection lost in between is replaced without the caller noticing", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  await a[Symbol.asyncDispose]();
  const asked = askPing(b, a.record);
  const again = await world.node(1);
  const { response } = await world.clock.run(asked);
  assertEquals(response.type, "pong");
  assertEquals(b.counted("peers.redialled"), 1);
  assertEquals(again.peers.sessions().length, 1);
});

Deno.test("a peer that goes in the middle of a transfer and comes back is sent all of it", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  let begunCount = 0;
  const bulk = {
    bytes: 8 * MIB,
    async *chunks(signal: AbortSignal) {
      begunCount++;
      for (let i = 0; i < 8; i++) {
        await world.clock.sleep(500, signal);
        yield new Uint8Array(MIB);
      }
    },
  };
  const asked = b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never);
  await world.clock.advance(2_000);
  await a[Symbol.asyncDispose]();
  await world.node(1);
  assertEquals((await world.clock.run(asked)).response.type, "kept");
  assertEquals([begunCount, b.counted("peers.redialled")], [2, 1]);
});

Deno.test("a peer that died without a word is found out by its silence and dialled anew", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  world.network.crash(world.addressOf(1));
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(assertRejectsCode(askPing(b, a.record), "timeout"));
  assertEquals(world.clock.monotonicMs() - sinceMs, REQUEST_TIMEOUT_MS);
  assertEquals(b.peers.sessions(), []);
  assertEquals(b.counted("peers.silent_closed"), 1);
  await world.node(1);
  await world.clock.run(askPing(b, a.record));
});

Deno.test("an answer that says timeout is no silence", async () => {
  await using world = new World(1);
  const handler = handlerOf(() => a.record);
  const a: TestNode = await world.node(1, {
    handler: async (from, request, bulk, signal) => {
      if (request.type !== "ping") await world.clock.sleep(1e6, signal);
      return await handler(from, request, bulk, signal);
    },
  });
  const b = await world.node(2);
  const patient = () =>
    b.peers.ask(a.record, fragmentOf(1), { timeoutMs: 60_000 }, never);
  for (let i = 0; i < 3; i++) {
    await world.clock.run(
      assertRejectsCode(patient(), "timeout", /the peer answered/),
    );
  }
  assertEquals(b.counted("peers.silent_closed"), 0);
  assertEquals(b.counted("peers.dialled"), 1);
});

Deno.test("no session is closed to make room for a dial that does not begin", async () => {
  await using world = new World(1);
  const b = await world.node(50, { dialledMax: 1 });
  const a = await world.node(1);
  const hidden = await world.node(2, { hidden: true });
  await world.clock.run(askPing(b, a.record));
  await assertRejectsCode(askPing(b, hidden.record), "unreachable");
  assertEquals(b.peers.sessions().length, 1);
  assertEquals(b.counted("peers.idle_closed"), 0);
});

Deno.test("a source that cannot be reached does not cost the session", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  const bulk = {
    bytes: 10,
    // deno-lint-ignore require-yield -- it fails before its first octet
    async *chunks(): AsyncIterable<Uint8Array> {
      await Promise.resolve();
      throw new TesserasError("unreachable", "Cannot read: the disk is away");
    },
  };
  const asked = b.peers.ask(a.record, putOf(10), { bulk }, never);
  await world.clock.run(
    assertRejectsCode(asked, "unreachable", /the disk is away/),
  );
  await world.clock.run(askPing(b, a.record));
  assertEquals(b.counted("peers.dialled"), 1);
});

Deno.test("short timeouts add up to silence, and one answer ends it", async () => {
  await using world = new World(1);
  let answering = false;
  const handler = handlerOf(() => a.record);
  // Nobody can dial it to see whether it was started again.
  const a: TestNode = await world.node(1, {
    hidden: true,
    handler: async (from, request, bulk, signal) => {
      if (!answering) await world.clock.sleep(1e6, signal);
      return await handler(from, request, bulk, signal);
    },
  });
  const b = await world.node(2);
  await world.clock.run(askPing(a, b.record));
  const short = () =>
    b.peers.ask(a.record, { type: "ping" }, { timeoutMs: 2_000 }, never);
  const unanswered = () =>
    world.clock.run(assertRejectsCode(short(), "timeout"));
  await unanswered();
  await unanswered();
  answering = true;
  await world.clock.run(short());
  answering = false;
  await unanswered();
  await unanswered();
  assertEquals(b.peers.sessions().length, 1);
  await unanswered();
  assertEquals(b.peers.sessions().length, 0);
});

Deno.test("a node without addresses is asked over the connection it opened, and over no other", async () => {
  await using world = new World(1);
  const open = await world.node(1);
  const hidden = await world.node(2, { hidden: true });
  const refused = assertRejectsCode(
    askPing(open, hidden.record),
    "unreachable",
  );
  await world.clock.run(refused);
  await world.clock.run(askPing(hidden, open.record));
  const { response } = await world.clock.run(askPing(open, hidden.record));
  assertTrue(equal(response.record, hidden.record.bytes));
  await world.clock.advance(10 * CONNECTION_IDLE_MS);
  await world.clock.run(askPing(open, hidden.record));
  assertEquals(open.counted("peers.idle_closed"), 0);
});

Deno.test("closes what is idle, and not what is used", async () => {
  await using world = new World(1);
  const [a, b, c] = await startNodes(world, 3) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  await world.clock.run(
    Promise.all([askPing(b, a.record), askPing(c, a.record)]),
  );
  for (let i = 0; i < 4; i++) {
    await world.clock.advance(CONNECTION_IDLE_MS / 3);
    await world.clock.run(askPing(c, a.record));
  }
  const met = a.peers.sessions().map(({ id }) => id);
  assertEquals(met.length, 1);
  assertTrue(equal(met[0]!, c.record.id));
  const closed = a.counted("peers.idle_closed") +
    b.counted("peers.idle_closed");
  assertTrue(closed >= 1);
  await world.clock.run(askPing(b, a.record));
});
