import { concat, u32be } from "@tesseras/core";
import {
  HELLO_TIMEOUT_MS,
  MESSAGE_BYTES_MAX,
  REQUEST_TIMEOUT_MS,
  STREAMS_MAX,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  decodeMessage,
  encodeFrame,
  type Envelope,
  type Message,
} from "@tesseras/wire";
import fc from "fast-check";
import { FrameReader } from "./frames.ts";
import { dialHello } from "./hello.ts";
import { fragmentOf, never, putOf, type TestNode } from "./node_for_tests.ts";
import type { Connection, Stream } from "./transport.ts";
import { World } from "./world_for_tests.ts";

const ping = { type: "ping" } as const;

/** A connection whose dialer is known to the node and may now say what it likes. */
async function known(world: World, node: TestNode): Promise<Connection> {
  const { transport, self, runtime } = await world.bare(99);
  const pinned = node.record;
  const dialling = transport.dial(
    node.transport.local,
    { publicKey: pinned.publicKey },
    never,
  );
  const connection = await world.clock.run(dialling);
  const parts = { self, runtime, pinned };
  await world.clock.run(dialHello(connection, parts, never));
  return connection;
}

function frame(body: Message, id = 7): Uint8Array {
  return encodeFrame({ v: 1, id, body });
}

async function send(
  connection: Connection,
  bytes: Uint8Array,
): Promise<Stream> {
  const stream = await connection.open(never);
  await stream.write(bytes, never);
  return stream;
}

async function answer(stream: Stream): Promise<Envelope | undefined> {
  const message = await new FrameReader(stream).next(never);
  return message && decodeMessage(message);
}

/** What the node answers to these bytes when nothing follows them. */
async function answerTo(
  connection: Connection,
  bytes: Uint8Array,
): Promise<Envelope | undefined> {
  const stream = await send(connection, bytes);
  await stream.finish(never);
  const envelope = await answer(stream);
  stream.abandon();
  return envelope;
}

/** Sends these bytes on a stream of their own, and resolves when the node has ended its side of it. */
async function ended(
  connection: Connection,
  bytes: Uint8Array,
): Promise<void> {
  const stream = await connection.open(never);
  if (bytes.length > 0) await stream.write(bytes, never);
  await stream.finish(never);
  if (bytes.length > 0) { while (await stream.read(never) !== undefined); }
  stream.abandon();
}

Deno.test("answers what cannot be read with malformed, counts it, and goes on", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const hostile = [
    u32be(0),
    u32be(MESSAGE_BYTES_MAX + 1),
    u32be(0xffff_ffff),
    concat([u32be(1), new Uint8Array([0xc1])]),
    // An array of arrays that a careless decoder turns into gigabytes.
    concat([u32be(1000), new Uint8Array(1000).fill(0x91)]),
    concat([u32be(5), new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])]),
    frame({ type: "kept", provider: new Uint8Array(1) }),
    concat([frame(ping), frame(ping)]),
    frame(ping).subarray(0, 9),
  ];
  for (const bytes of hostile) {
    const envelope = await world.clock.run(answerTo(connection, bytes));
    const { body, id } = envelope!;
    assertTrue(body.type === "error", `${body.type} to ${bytes}`);
    assertTrue(body.code === "malformed" || body.code === "corrupt");
    assertEquals(id, 0);
  }
  assertEquals(node.counted("rpc.malformed"), hostile.length);
  const after = await world.clock.run(answerTo(connection, frame(ping)));
  assertEquals([after?.id, after?.body.type], [7, "pong"]);
});

Deno.test("no bytes whatever end the node or the connection", async () => {
  await using world = new World(2);
  const node = await world.node(1, { limits: { requestsPerSecond: 1e6 } });
  const connection = await known(world, node);
  const whole = frame(fragmentOf(3));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        // A true request with some of its bytes changed reaches deeper.
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
          minLength: 1,
          maxLength: 4,
        }).map((changes) => {
          const bytes = whole.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          return bytes;
        }),
      ),
      async (bytes) => {
        await world.clock.run(ended(connection, bytes));
        const after = await world.clock.run(answerTo(connection, frame(ping)));
        assertEquals(after?.body.type, "pong");
      },
    ),
    { numRuns: 300 },
  );
  assertEquals(node.counted("rpc.handler_failed"), 0);
  assertEquals(node.peers.sessions().map((s) => s.busyCount), [0]);
});

Deno.test("gives up a request that trickles in, and keeps the connection", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const stream = await world.clock.run(
    send(connection, frame(ping).subarray(0, 5)),
  );
  assertEquals(await world.clock.run(answer(stream)), undefined);
  assertEquals(node.counted("rpc.slow"), 1);
  const after = await world.clock.run(answerTo(connection, frame(ping)));
  assertEquals(after?.body.type, "pong");
});

Deno.test("one peer occupies no more handlers than it may have streams", async () => {
  await using world = new World(2);
  let [running, most, done] = [0, 0, 0];
  const node = await world.node(1, {
    handler: async (_from, _request, _bulk, signal) => {
      most = Math.max(most, ++running);
      await world.clock.sleep(100, signal);
      running--;
      done++;
      return { response: { type: "nodes", records: [] } };
    },
  });
  const connection = await known(world, node);
  const asks = Array.from(
    { length: 5 * STREAMS_MAX },
    () => answerTo(connection, frame(ping)),
  );
  await world.clock.run(Promise.all(asks));
  assertEquals([most, done, running], [STREAMS_MAX, 5 * STREAMS_MAX, 0]);
});

Deno.test("answers overloaded to an identity that asks too often", async () => {
  await using world = new World(2);
  const node = await world.node(1, { limits: { requestsPerSecond: 1 } });
  const connection = await known(world, node);
  const codes: string[] = [];
  for (let i = 0; i < 8; i++) {
    const envelope = await world.clock.run(answerTo(connection, frame(ping)));
    const body = envelope!.body;
    codes.push(body.type === "error" ? body.code : body.type);
  }
  assertEquals(codes.slice(0, 4), ["pong", "pong", "pong", "pong"]);
  assertTrue(codes.includes("overloaded"));
  assertEquals(
    node.counted("admission.request_rate"),
    codes.filter((code) => code === "overloaded").length,
  );
});

Deno.test("work over its budget is answered with overloaded before any is done, and small questions go on", async () => {
  await using world = new World(2);
  const handled: string[] = [];
  const node = await world.node(1, {
    limits: { workPerSecond: 1 },
    handler: (_from, request) => {
      handled.push(request.type);
      return Promise.resolve({ response: { type: "nodes", records: [] } });
    },
  });
  const connection = await known(world, node);
  const entry = { record: new Uint8Array(1), holder: new Uint8Array(1) };
  const store = frame({ type: "store", entries: Array(20).fill(entry) });
  const codes: string[] = [];
  for (let i = 0; i < 4; i++) {
    const { body } = (await world.clock.run(answerTo(connection, store)))!;
    codes.push(body.type === "error" ? body.code : body.type);
  }
  assertEquals(codes, ["nodes", "nodes", "overloaded", "overloaded"]);
  assertEquals(handled, ["store", "store"]);
  assertEquals(node.counted("admission.work_rate"), 2);
  assertEquals(node.counted("rpc.refused_overloaded"), 2);
  assertEquals(node.counted("rpc.refused"), 2);
  await world.clock.run(answerTo(connection, frame(ping)));
  assertEquals(handled.at(-1), "ping");
  assertEquals(node.peers.sessions().length, 1);
});

Deno.test("a peer that asks for large answers is stopped sooner than one that asks for small ones", async () => {
  await using world = new World(2);
  const records = Array<Uint8Array>(20).fill(new Uint8Array(1000));
  const node = await world.node(1, {
    limits: { requestsPerSecond: 10 },
    handler: (_from, request) =>
      Promise.resolve({
        response: {
          type: "nodes",
          records: request.type === "find_node" ? records : [],
        },
      }),
  });
  const connection = await known(world, node);
  const target = node.self.identity.id;
  const large = frame({ type: "find_node", target, want: 0 });
  const answeredTo = async (bytes: Uint8Array): Promise<number> => {
    for (let count = 0; count < 100; count++) {
      const { body } = (await world.clock.run(answerTo(connection, bytes)))!;
      if (body.type === "error") return count;
    }
    return 100;
  };
  const largeCount = await answeredTo(large);
  await world.clock.advance(20_000);
  assertTrue(3 * largeCount < await answeredTo(frame(ping)), `${largeCount}`);
});

Deno.test("tells a peer nothing about an error nobody foresaw", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const request = frame({ type: "store", entries: [] });
  const envelope = await world.clock.run(answerTo(connection, request));
  assertEquals(envelope?.body, {
    type: "error",
    code: "refused",
    text: "Cannot answer",
  });
  assertEquals(node.counted("rpc.handler_failed"), 1);
});

Deno.test("takes exactly the octets that were announced", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const octets = new Uint8Array(5000);
  for (
    const [announced, type] of [[5000, "kept"], [4999, "error"], [
      5001,
      "error",
    ]] as const
  ) {
    const bytes = concat([frame(putOf(announced)), octets]);
    const envelope = await world.clock.run(answerTo(connection, bytes));
    assertEquals(envelope?.body.type, type);
    if (type === "error") {
      assertTrue(
        envelope?.body.type === "error" && envelope.body.code === "corrupt",
      );
    }
  }
});

Deno.test("gives up octets that stand still, and answers so", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const sending = send(
    connection,
    concat([frame(putOf(5000)), new Uint8Array(3)]),
  );
  const stream = await world.clock.run(sending);
  const envelope = await world.clock.run(answer(stream));
  const body = envelope!.body;
  assertTrue(body.type === "error" && body.code === "timeout");
});

Deno.test("refuses a put at once, without its octets", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const sinceMs = world.clock.monotonicMs();
  const stream = await world.clock.run(
    send(connection, frame(putOf(30_000_000, 1))),
  );
  const envelope = await world.clock.run(answer(stream));
  const body = envelope!.body;
  assertTrue(body.type === "error" && body.code === "diskFull");
  assertTrue(world.clock.monotonicMs() - sinceMs < 1000);
});

Deno.test("a handler that takes too long is stopped, and its peer told", async () => {
  await using world = new World(2);
  const node = await world.node(1, {
    handler: async (_from, _request, _bulk, signal) => {
      await world.clock.sleep(1e9, signal);
      throw new Error("nobody waits so long");
    },
  });
  const connection = await known(world, node);
  const sinceMs = world.clock.monotonicMs();
  const envelope = await world.clock.run(answerTo(connection, frame(ping)));
  const body = envelope!.body;
  assertTrue(body.type === "error" && body.code === "timeout");
  const tookMs = world.clock.monotonicMs() - sinceMs;
  assertTrue(tookMs < REQUEST_TIMEOUT_MS + 1000, `${tookMs}`);
});

Deno.test("a peer that never reads its octets holds a stream for a while and no longer", async () => {
  await using world = new World(2);
  const node = await world.node(1);
  const connection = await known(world, node);
  const stream = await world.clock.run(
    send(connection, frame(fragmentOf(20_000_000))),
  );
  await world.clock.advance(HELLO_TIMEOUT_MS);
  assertEquals(node.peers.sessions()[0]?.busyCount, 1);
  await world.clock.advance(20_000);
  assertEquals(node.peers.sessions()[0]?.busyCount, 0);
  assertEquals(node.counted("rpc.unanswered"), 1);
  stream.abandon();
});

Deno.test("a connection that ends stops the handlers behind it", async () => {
  await using world = new World(2);
  let stopped = 0;
  const node = await world.node(1, {
    handler: async (_from, _request, _bulk, signal) => {
      try {
        await world.clock.sleep(9_000, signal);
      } finally {
        if (signal.aborted) stopped++;
      }
      throw new Error("too late");
    },
  });
  const connection = await known(world, node);
  for (let i = 0; i < 3; i++) {
    await world.clock.run(send(connection, frame(ping)));
  }
  await world.clock.advance(1000);
  connection.close(0, "");
  await world.clock.advance(1000);
  assertEquals(stopped, 3);
  assertEquals(node.peers.sessions(), []);
});

Deno.test("a handler that stops reading in the middle leaves no alarm behind", async () => {
  await using world = new World(2);
  const node = await world.node(1, {
    handler: async (_from, _request, bulk, signal) => {
      await bulk!.read(signal);
      return { response: { type: "error", code: "diskFull", text: "" } };
    },
  });
  const connection = await known(world, node);
  const put = concat([frame(putOf(1_000)), new Uint8Array(100)]);
  const timersBefore = world.clock.timerCount;
  for (let i = 0; i < 300; i++) {
    const stream = await send(connection, put);
    await world.clock.run(answer(stream));
    stream.abandon();
  }
  // What was cancelled is swept now and then.
  const timers = world.clock.timerCount - timersBefore;
  assertTrue(timers < 150, `${timers} timers`);
});
