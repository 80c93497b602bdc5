import { equal } from "@tesseras/core";
import {
  DIAL_TIMEOUT_MS,
  MIB,
  REQUEST_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { bulkOf, collectBulk } from "./bulk.ts";
import {
  fragmentOf,
  handlerOf,
  never,
  type NodeOptions,
  putOf,
  recordOf,
  runtimeOn,
  startNode,
  type TestNode,
} from "./node_for_tests.ts";
import { askPing, startNodes, World } from "./world_for_tests.ts";

/** How long something takes. */
async function lasted(world: World, what: Promise<unknown>): Promise<number> {
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(what);
  return world.clock.monotonicMs() - sinceMs;
}

/** What a node did about silence. */
function seen(node: TestNode): Record<string, number> {
  const names = ["pinged", "dialled", "closed"] as const;
  return Object.fromEntries(
    names.map((name) => [name, node.counted(`peers.silent_${name}`)]),
  );
}

/** A node whose answers to some requests take long. */
async function slowNode(
  world: World,
  slow: { readonly type: string; readonly ms: number },
  options: NodeOptions = {},
): Promise<TestNode> {
  const handler = handlerOf(() => node.record);
  const node: TestNode = await world.node(1, {
    ...options,
    handler: async (from, request, bulk, signal) => {
      const answer = await handler(from, request, bulk, signal);
      if (request.type === slow.type) await world.clock.sleep(slow.ms, signal);
      return answer;
    },
  });
  return node;
}

/** Octets that take 4 s to be sent. */
function slowBulk(world: World) {
  const bulk = {
    bytes: 8 * MIB,
    begunCount: 0,
    async *chunks(signal: AbortSignal) {
      bulk.begunCount++;
      for (let i = 0; i < 8; i++) {
        await world.clock.sleep(500, signal);
        yield new Uint8Array(MIB);
      }
    },
  };
  return bulk;
}

Deno.test("a peer started again at its port answers its old neighbours in little more than a second", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  await world.clock.advance(30_000);
  world.network.crash(world.addressOf(1));
  const again = await world.node(1);
  const tookMs = await lasted(world, askPing(b, again.record));
  assertTrue(tookMs > 1_000 && tookMs < 1_300, `${tookMs} ms`);
  assertEquals(seen(b), { pinged: 1, dialled: 1, closed: 1 });
  assertEquals(b.counted("peers.redialled"), 1);
  assertEquals(b.peers.sessions().map((each) => each.busyCount), [0]);
});

Deno.test("a question that takes work needs a ping more to find that out", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  world.network.crash(world.addressOf(1));
  await world.node(1);
  const asked = b.peers.ask(a.record, fragmentOf(1000), {}, never).then(
    async ({ bulk }) => await collectBulk(bulk!, never),
  );
  const tookMs = await lasted(world, asked);
  assertTrue(tookMs > 1_500 && tookMs < 1_800, `${tookMs} ms`);
  assertEquals((await asked).length, 1000);
  assertEquals(seen(b), { pinged: 2, dialled: 1, closed: 1 });
});

Deno.test("many who wait on one dead session move together, over one dial", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  world.network.crash(world.addressOf(1));
  const again = await world.node(1);
  const asks = Array.from({ length: 12 }, () => askPing(b, a.record));
  assertTrue(await lasted(world, Promise.all(asks)) < 1_300);
  assertEquals(seen(b), { pinged: 1, dialled: 1, closed: 1 });
  assertEquals(again.peers.sessions().length, 1);
});

Deno.test("a peer that has moved is found at the address of its newer record", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  await world.clock.advance(1_000);
  world.network.crash(world.addressOf(1));
  await using moved = await startNode({
    seed: 1,
    options: {},
    runtime: runtimeOn(world.clock, world.random.fork()),
    open: (identity, admit) => {
      const address = world.addressOf(99);
      const node = { identity, address, admit };
      return Promise.resolve(world.network.transport(node));
    },
  });
  assertTrue(await lasted(world, askPing(b, moved.record)) < 1_300);
  assertTrue(equal(moved.record.id, a.record.id));
});

Deno.test("a peer that comes back by itself is asked there, without a dial", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  world.network.crash(world.addressOf(1));
  const asked = askPing(b, a.record);
  const again = await world.node(1);
  await world.clock.run(askPing(again, b.record));
  assertTrue(await lasted(world, asked) < 1_300);
  assertEquals(seen(b), { pinged: 1, dialled: 0, closed: 1 });
});

Deno.test("a peer that is slow at one request is pinged and not dialled", async () => {
  await using world = new World(1);
  const a = await slowNode(world, { type: "put_fragment", ms: 9_000 });
  const b = await world.node(2);
  const bulk = {
    bytes: 10,
    async *chunks() {
      yield await Promise.resolve(new Uint8Array(10));
    },
  };
  await world.clock.run(
    b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never),
  );
  assertEquals(seen(b), { pinged: 4, dialled: 0, closed: 0 });
});

Deno.test("octets that arrive are heard, though a ping is not answered", async () => {
  await using world = new World(1, { bytesPerSecond: 1e6 });
  const a = await slowNode(world, { type: "ping", ms: 8_000 });
  const b = await world.node(2);
  const { bulk } = await world.clock.run(
    b.peers.ask(a.record, fragmentOf(8 * MIB), {}, never),
  );
  const asked = askPing(b, a.record);
  await world.clock.run(Promise.all([asked, collectBulk(bulk!, never)]));
  assertEquals(seen(b), { pinged: 0, dialled: 0, closed: 0 });
});

/** Asks somebody else once a second, so that our own line is proven. */
async function proveFor(
  seconds: number,
  world: World,
  [from, to]: readonly [TestNode, TestNode],
): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await askPing(from, to.record);
    await world.clock.sleep(1_000, never);
  }
}

Deno.test("a slow line is not given up while octets arrive, though pings wait behind them and others answer", async () => {
  const bytesPerSecond = 9_000;
  await using world = new World(1, { bytesPerSecond });
  const handler = handlerOf(() => a.record);
  const a: TestNode = await world.node(1, {
    handler: async (from, request, bulk, signal) => {
      const reply = await handler(from, request, bulk, signal);
      if (reply.bulk === undefined) return reply;
      // In packets, as on a real line: all of them are sent at once and wait in its queue.
      const { bytes } = reply.bulk;
      const chunks = async function* () {
        for (let at = 0; at < bytes; at += 1_000) {
          yield await Promise.resolve(
            new Uint8Array(Math.min(1_000, bytes - at)),
          );
        }
      };
      return { ...reply, bulk: { bytes, chunks } };
    },
  });
  const [b, c] = [await world.node(2), await world.node(3)];
  await world.clock.run(askPing(b, a.record));
  const proving = proveFor(20, world, [b, c]);
  const asked = b.peers.ask(a.record, fragmentOf(100_000), {}, never).then(
    async ({ bulk }) => await collectBulk(bulk!, never),
  );
  const tookMs = await lasted(world, asked);
  await world.clock.run(proving);
  assertEquals((await asked).length, 100_000);
  assertTrue(tookMs > 10_000, `${tookMs} ms`);
  assertEquals(seen(b).closed, 0);
});

Deno.test("a peer that takes octets slowly is not given up while it does, though a ping is not answered", async () => {
  await using world = new World(1);
  const handler = handlerOf(() => a.record);
  const a: TestNode = await world.node(1, {
    handler: async (from, request, bulk, signal) => {
      if (request.type === "ping") await world.clock.sleep(60_000, signal);
      if (bulk === undefined) {
        return await handler(from, request, bulk, signal);
      }
      while (await bulk.read(signal) !== undefined) {
        await world.clock.sleep(1_000, signal);
      }
      return { response: { type: "kept", provider: new Uint8Array(8) } };
    },
  });
  const [b, c] = [await world.node(2), await world.node(3)];
  const proving = proveFor(20, world, [b, c]);
  const bulk = bulkOf(new Uint8Array(4 * MIB));
  const asked = b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never);
  const tookMs = await lasted(world, asked);
  await world.clock.run(proving);
  assertTrue(tookMs > 10_000, `${tookMs} ms`);
  assertEquals(seen(b).closed, 0);
});

Deno.test("an old session that answers first ends the dial beside it", async () => {
  await using world = new World(1, { latencyMs: 100 });
  const a = await slowNode(world, { type: "ping", ms: 900 });
  const b = await world.node(2);
  const finds = { type: "find_node", target: a.record.id, want: 0 } as const;
  await world.clock.run(b.peers.ask(a.record, finds, {}, never));
  const tookMs = await lasted(world, askPing(b, a.record));
  assertEquals(tookMs, 1_100);
  await world.clock.advance(DIAL_TIMEOUT_MS);
  assertEquals(seen(b), { pinged: 0, dialled: 1, closed: 0 });
  assertEquals(b.counted("peers.dialled"), 1);
  assertEquals(b.counted("peers.redialled"), 0);
  assertEquals([a, b].map((node) => node.peers.sessions().length), [1, 1]);
});

Deno.test("a peer that is slow at everything keeps its old session, and is not asked twice", async () => {
  await using world = new World(1);
  const slow = { type: "ping", ms: 0 };
  const a = await slowNode(world, slow);
  const b = await world.node(2);
  await world.clock.run(askPing(b, a.record));
  slow.ms = 1_500;
  assertEquals(await lasted(world, askPing(b, a.record)), 1_540);
  assertEquals(seen(b), { pinged: 1, dialled: 1, closed: 0 });
  assertEquals(b.counted("peers.redialled"), 0);
});

Deno.test("octets that had begun to flow are sent again, from the first, to a peer that was started again", async () => {
  await using world = new World(1);
  const [a, b] = await startNodes(world, 2) as [TestNode, TestNode];
  await world.clock.run(askPing(b, a.record));
  const bulk = slowBulk(world);
  const asked = b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never);
  await world.clock.advance(2_000);
  world.network.crash(world.addressOf(1));
  await world.node(1);
  assertTrue(await lasted(world, asked) < 8_000);
  assertEquals((await asked).response.type, "kept");
  assertEquals([bulk.begunCount, b.counted("peers.redialled")], [2, 1]);
});

Deno.test("a peer killed in mid-transfer is given up long before the transfer stalls, if others answer", async () => {
  for (const othersAnswer of [true, false]) {
    await using world = new World(1);
    const [a, b, c] = await startNodes(world, 3) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    await world.clock.run(askPing(b, c.record));
    const bulk = slowBulk(world);
    const asked = b.peers.ask(a.record, putOf(bulk.bytes), { bulk }, never);
    const rejected = assertRejectsCode(
      asked,
      othersAnswer ? "unreachable" : "timeout",
    );
    await world.clock.advance(2_000);
    world.network.crash(world.addressOf(1));
    const tookMs = lasted(world, rejected);
    if (othersAnswer) {
      await world.clock.advance(3_000);
      await world.clock.run(askPing(b, c.record));
      assertTrue(await tookMs < 8_000, `${await tookMs} ms`);
    } else {
      assertTrue(await tookMs >= STALL_TIMEOUT_MS, `${await tookMs} ms`);
    }
    assertEquals(bulk.begunCount, 1);
  }
});

Deno.test("a question that comes while a dial for an earlier one goes on is watched, too", async () => {
  await using world = new World(1);
  const [a, b, c] = await startNodes(world, 3) as [
    TestNode,
    TestNode,
    TestNode,
  ];
  await world.clock.run(askPing(b, a.record));
  world.network.crash(world.addressOf(1));
  // Three addresses at which nobody is take 15 s to try.
  const addresses = [201, 202, 203].map((seed) => world.addressOf(seed));
  const moved = recordOf(
    a.self.identity,
    addresses,
    world.clock.nowMs() + 1_000,
  );
  using soon = world.clock.deadline(2_000, never);
  await world.clock.run(
    assertRejectsCode(askPing(b, moved, soon.signal), "timeout"),
  );
  await world.clock.advance(1_000);
  const asked = assertRejectsCode(askPing(b, moved), "unreachable");
  const proving = proveFor(20, world, [b, c]);
  const tookMs = await lasted(world, asked);
  assertTrue(tookMs < 7_000, `${tookMs} ms`);
  assertEquals(seen(b).closed, 1);
  await world.clock.run(proving);
});

Deno.test("a peer that shakes hands and never answers costs one dial in the time of a request", async () => {
  await using world = new World(1);
  const slow = { type: "ping", ms: 0 };
  const a = await slowNode(world, slow);
  const b = await world.node(2);
  await world.clock.run(askPing(b, a.record));
  slow.ms = 1e6;
  const spanMs = 60_000;
  const endMs = world.clock.monotonicMs() + spanMs;
  while (world.clock.monotonicMs() < endMs) {
    const asked = b.peers.ask(
      a.record,
      { type: "ping" },
      { timeoutMs: 2_000 },
      never,
    );
    await world.clock.run(assertRejectsCode(asked, "timeout"));
  }
  const dials = seen(b).dialled!;
  assertTrue(dials >= 1 && dials <= spanMs / REQUEST_TIMEOUT_MS, `${dials}`);
  assertTrue(b.peers.sessions().length <= 1);
});
