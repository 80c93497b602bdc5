// What sessions cost on top of the transport: the same bytes over the same QUIC endpoints, in one process, without them.
import { Tasks } from "@tesseras/core";
import { BULK_CHUNK_BYTES, MIB, STREAMS_MAX } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { bulkOf } from "./bulk.ts";
import {
  fragmentOf,
  identityOf,
  never,
  type NodeOptions,
  runtimeOn,
  startNode,
  type TestNode,
} from "./node_for_tests.ts";
import { openQuic } from "./quic.ts";
import type { Handler } from "./serve.ts";
import type { Connection, Stream } from "./transport.ts";

const REQUESTS = 4_000;
const IN_FLIGHT = STREAMS_MAX;
/** Bytes of a node record with two addresses, of the pong around it, and of a ping. */
const RECORD_BYTES = 250;
const ANSWER_BYTES = RECORD_BYTES + 70;
const REQUEST_BYTES = 30;
const TRANSFERS = 8;
const TRANSFER_BYTES = 32 * MIB;

function opened(seed: number, options: NodeOptions): Promise<TestNode> {
  const runtime = runtimeOn(systemClock, systemRandom);
  const listen = { ip: "127.0.0.1", port: 0 };
  return startNode({
    seed,
    runtime,
    options,
    open: (identity, admit) =>
      openQuic({ identity, listen, admit }, runtime, never),
  });
}

/** Answers a ping with as many bytes as a node does, and a fragment with zeros. */
const handler: Handler = (_from, request) => {
  if (request.type === "ping") {
    const record = new Uint8Array(RECORD_BYTES);
    const observed = { ip: "127.0.0.1", port: 4433 };
    return Promise.resolve({ response: { type: "pong", record, observed } });
  }
  const bulk = bulkOf(new Uint8Array(TRANSFER_BYTES));
  return Promise.resolve({
    response: { type: "fragment", bulk: TRANSFER_BYTES },
    bulk,
  });
};

/** Runs `work` many times, so many at once, and returns how often a second. */
async function rate(
  parallel: number,
  work: () => Promise<void>,
): Promise<number> {
  let left = REQUESTS;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  const sinceMs = performance.now();
  await Promise.all(Array.from({ length: parallel }, lane));
  return REQUESTS / (performance.now() - sinceMs) * 1000;
}

async function drain(stream: Stream): Promise<number> {
  let bytes = 0;
  for (;;) {
    const chunk = await stream.read(never);
    if (chunk === undefined) return bytes;
    bytes += chunk.length;
  }
}

/** Two ends of a connection without sessions: whoever asks for so many bytes gets them. */
async function bare(): Promise<AsyncDisposable & { ask: Ask }> {
  const stack = new AsyncDisposableStack();
  const listen = { ip: "127.0.0.1", port: 0 };
  const runtime = runtimeOn(systemClock, systemRandom);
  const identity = await identityOf(3);
  const open = async () =>
    stack.use(await openQuic({ identity, listen }, runtime, never));
  const [near, far] = [await open(), await open()];
  const accepting = far.accept(never);
  const connection = await near.dial(far.local, identity, never);
  const serving = serveBare((await accepting)!);
  stack.defer(async () => {
    connection.close(0, "");
    await serving;
  });
  const ask = async (bytes: number): Promise<void> => {
    const stream = await connection.open(never);
    const request = new Uint8Array(REQUEST_BYTES);
    new DataView(request.buffer).setUint32(0, bytes);
    await stream.write(request, never);
    await stream.finish(never);
    if (await drain(stream) !== bytes) throw new Error("Bytes went missing");
    stream.abandon();
  };
  return { ask, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

type Ask = (bytes: number) => Promise<void>;

async function serveBare(connection: Connection): Promise<void> {
  await using tasks = new Tasks(never);
  for (;;) {
    const stream = await connection.accept(never);
    if (stream === undefined) return;
    tasks.spawn(async () => {
      const request = (await stream.read(never))!;
      const bytes = new DataView(request.buffer, request.byteOffset)
        .getUint32(0);
      const piece = new Uint8Array(Math.min(bytes, BULK_CHUNK_BYTES));
      for (let sent = 0; sent < bytes; sent += piece.length) {
        await stream.write(piece, never);
      }
      await stream.finish(never);
      stream.abandon();
    });
  }
}

function print(
  what: { readonly name: string; readonly unit: string },
  value: number,
  reference: number,
): void {
  console.log(JSON.stringify({
    ...what,
    value: Math.round(value),
    reference: {
      name: "the same bytes over a bare transport stream",
      value: Math.round(reference),
    },
    ratio: Number((value / reference).toFixed(2)),
  }));
}

async function transferred(ask: () => Promise<void>): Promise<number> {
  const sinceMs = performance.now();
  for (let i = 0; i < TRANSFERS; i++) await ask();
  const seconds = (performance.now() - sinceMs) / 1000;
  return TRANSFERS * TRANSFER_BYTES / 1e6 / seconds;
}

const unlimited = 1_000_000;
const options = {
  handler,
  limits: {
    requestsPerSecond: unlimited,
    addressRequestsPerSecond: unlimited,
    workPerSecond: unlimited,
    subnetWorkPerSecond: unlimited,
  },
};
await using a = await opened(1, options);
await using b = await opened(2, options);
await using raw = await bare();
const askPing = async (): Promise<void> => {
  await b.peers.ask(a.record, { type: "ping" }, {}, never);
};
const askRaw = () => raw.ask(ANSWER_BYTES);
await rate(IN_FLIGHT, askPing);
await rate(IN_FLIGHT, askRaw);
for (const parallel of [1, IN_FLIGHT]) {
  print(
    { name: `session_requests_${parallel}_in_flight`, unit: "requests/s" },
    await rate(parallel, askPing),
    await rate(parallel, askRaw),
  );
}
print(
  { name: "session_bulk", unit: "MB/s" },
  await transferred(async () => {
    const request = fragmentOf(TRANSFER_BYTES);
    const { bulk } = await b.peers.ask(a.record, request, {}, never);
    while (await bulk!.read(never) !== undefined);
  }),
  await transferred(() => raw.ask(TRANSFER_BYTES)),
);
