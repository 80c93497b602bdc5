// In which order the words of a hello and the first request may come: on simulated packets and on real ones.
import type { Clock } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type Challenge,
  decodeMessage,
  encodeFrame,
  proofBytes,
} from "@tesseras/wire";
import { CLOSE, dialHello, type Self } from "./hello.ts";
import { FrameReader } from "./frames.ts";
import {
  handlerOf,
  identityOf,
  never,
  type NodeOptions,
  recordOf,
  runtimeOn,
  startNode,
  type TestNode,
} from "./node_for_tests.ts";
import { openQuic } from "./quic.ts";
import type { Connection, Stream, Transport } from "./transport.ts";
import { askPing, World } from "./world_for_tests.ts";

const ping = { type: "ping" } as const;
/** Half a round trip of the simulated network here. */
const TRIP_MS = 50;

/** A network of either kind. */
type Lab = AsyncDisposable & {
  readonly clock: Clock;
  readonly node: (seed: number, options?: NodeOptions) => Promise<TestNode>;
  readonly bare: (
    seed: number,
  ) => Promise<{ transport: Transport; self: Self }>;
  readonly run: <T>(work: Promise<T>) => Promise<T>;
};

function simulated(): Lab {
  const world = new World(5, { latencyMs: TRIP_MS });
  return {
    clock: world.clock,
    node: (seed, options) => world.node(seed, options),
    bare: (seed) => world.bare(seed),
    run: (work) => world.clock.run(work),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

function real(): Lab {
  const opened = new AsyncDisposableStack();
  const listen = { ip: "127.0.0.1", port: 0 };
  return {
    clock: systemClock,
    async node(seed, options = {}) {
      const runtime = runtimeOn(systemClock, systemRandom);
      return opened.use(
        await startNode({
          seed,
          options,
          runtime,
          open: (identity, admit) =>
            openQuic({ identity, listen, admit }, runtime, never),
        }),
      );
    },
    async bare(seed) {
      const runtime = runtimeOn(systemClock, systemRandom);
      const identity = await identityOf(seed);
      const transport = opened.use(
        await openQuic({ identity, listen }, runtime, never),
      );
      const record = recordOf(identity, [], systemClock.nowMs());
      return {
        transport,
        self: { identity, record: () => record, powBits: 8 },
      };
    },
    run: (work) => work,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A node that counts what it is asked. */
async function counting(
  lab: Lab,
): Promise<{ node: TestNode; asked: string[] }> {
  const asked: string[] = [];
  const node: TestNode = await lab.node(1, {
    handler: (from, request, bulk, signal) => {
      asked.push(request.type);
      return handlerOf(() => node.record)(from, request, bulk, signal);
    },
  });
  return { node, asked };
}

async function send(
  connection: Connection,
  bytes: Uint8Array,
): Promise<Stream> {
  const stream = await connection.open(never);
  await stream.write(bytes, never);
  await stream.finish(never);
  return stream;
}

function dialTo(transport: Transport, { self }: TestNode): Promise<Connection> {
  const [address] = self.record().addresses;
  const { publicKey } = self.identity;
  return transport.dial(address!, { publicKey }, never);
}

const claims: Record<string, (lab: Lab) => Promise<void>> = {
  async "a request before the proof is answered after it, and not sooner"(lab) {
    const { node, asked } = await counting(lab);
    const { transport, self } = await lab.bare(2);
    const connection = await dialTo(transport, node);
    const early = await send(
      connection,
      encodeFrame({ v: 1, id: 7, body: ping }),
    );
    // A whole round trip more, on the challenge's stream, shows that the node has had time.
    const challenged = (await connection.accept(never))!;
    const message = await new FrameReader(challenged).next(never);
    assertTrue(message);
    assertEquals(asked, []);
    const { id, body } = decodeMessage(message);
    await lab.clock.sleep(4 * TRIP_MS, never);
    assertEquals(asked, []);
    await prove({ stream: challenged, id, challenge: body as Challenge }, {
      self,
      to: node,
    });
    const answer = await new FrameReader(early).next(never);
    assertTrue(answer);
    assertEquals(decodeMessage(answer).body.type, "pong");
    assertEquals(asked, ["ping"]);
    early.abandon();
  },

  async "requests before a proof that is wrong are never handled, and end with it"(
    lab,
  ) {
    const { node, asked } = await counting(lab);
    const { transport, self } = await lab.bare(2);
    const stranger = await identityOf(3);
    const connection = await dialTo(transport, node);
    const frame = encodeFrame({ v: 1, id: 7, body: ping });
    const early = [
      await send(connection, frame),
      await send(connection, frame),
    ];
    const challenged = (await connection.accept(never))!;
    const message = await new FrameReader(challenged).next(never);
    assertTrue(message);
    const { id, body } = decodeMessage(message);
    // A record anybody may have, signed for by somebody else.
    const liar: Self = {
      ...self,
      record: () => recordOf(stranger, [], lab.clock.nowMs()),
    };
    await prove({ stream: challenged, id, challenge: body as Challenge }, {
      self: liar,
      to: node,
    });
    early.push(await send(connection, frame).catch(() => early[0]!));
    const closed = await connection.closed;
    assertEquals(closed.code, CLOSE.refused);
    for (const stream of early) {
      assertEquals(await stream.read(never).catch(() => undefined), undefined);
    }
    assertEquals(asked, []);
    assertEquals(node.counted("hello.forged_proof"), 1);
    assertEquals(node.counted("rpc.served"), 0);
    assertEquals(node.peers.sessions(), []);
  },

  async "requests right behind a proof need not wait for a word about it"(lab) {
    const { node, asked } = await counting(lab);
    const { transport, self } = await lab.bare(2);
    const runtime = runtimeOn(lab.clock, systemRandom);
    const connection = await dialTo(transport, node);
    const parts = { self, runtime, pinned: node.record };
    await dialHello(connection, parts, never);
    const stream = await send(
      connection,
      encodeFrame({ v: 1, id: 9, body: ping }),
    );
    const answer = await new FrameReader(stream).next(never);
    assertTrue(answer);
    assertEquals([decodeMessage(answer).id, asked], [9, ["ping"]]);
    stream.abandon();
  },
};

async function prove(
  { stream, id, challenge }: {
    readonly stream: Stream;
    readonly id: number;
    readonly challenge: Challenge;
  },
  { self, to }: { readonly self: Self; readonly to: TestNode },
): Promise<void> {
  const { identity } = self;
  const signed = proofBytes(challenge.nonce, to.record.id, identity.id);
  const body = {
    type: "proof",
    record: self.record().bytes,
    signature: identity.sign(signed),
  } as const;
  await stream.write(encodeFrame({ v: 1, id, body }), never);
  await stream.finish(never);
}

for (const [claim, proveClaim] of Object.entries(claims)) {
  for (const [kind, make] of Object.entries({ simulated, real })) {
    Deno.test(`${kind} packets: ${claim}`, async () => {
      await using lab = make();
      await lab.run(proveClaim(lab));
    });
  }
}

Deno.test("the first answer is there after two round trips, dial and hello included", async () => {
  await using world = new World(5, { latencyMs: TRIP_MS });
  const [a, b] = [await world.node(1), await world.node(2)];
  const sinceMs = world.clock.monotonicMs();
  await world.clock.run(askPing(b, a.record));
  assertEquals(world.clock.monotonicMs() - sinceMs, 4 * TRIP_MS);
});

Deno.test("whoever knocks and says no more costs no place and no session, and is forgotten in time", async () => {
  await using world = new World(5, { latencyMs: TRIP_MS });
  const node = await world.node(1, { limits: { connectionsMax: 1 } });
  const { transport } = await world.bare(2);
  for (let knock = 0; knock < 20; knock++) {
    const stop = new AbortController();
    const dial = transport.dial(
      node.transport.local,
      { publicKey: node.record.publicKey },
      stop.signal,
    ).catch(() => {});
    // Between its first packet's arrival and the answer's.
    await world.clock.advance(1.5 * TRIP_MS);
    stop.abort();
    await world.clock.run(dial);
  }
  await world.clock.advance(2 * TRIP_MS);
  assertEquals(node.counted("hello.unfinished"), 0);
  const honest = await world.node(3);
  await world.clock.run(askPing(honest, node.record));
  assertEquals(node.peers.sessions().length, 1);
});
