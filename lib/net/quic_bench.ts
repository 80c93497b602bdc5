/**
 * What our transport costs on top of Deno's own QUIC: one stream of bulk, and requests on fresh streams. Two processes each way,
 * over loopback: `deno run -A lib/net/quic_bench.ts`.
 */
import { report } from "@tesseras/bench";
import {
  RawQuic,
  ServingProcess,
  untilInputEnds,
} from "@tesseras/bench/raw-quic";
import { Counters, mapBounded, type Runtime, silentLog } from "@tesseras/core";
import { DIALS_MAX, KIB, MIB, STREAMS_MAX } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { nodeFromSeed } from "@tesseras/crypto";
import { openQuic } from "./quic.ts";
import type { Connection, Stream, Transport } from "./transport.ts";

const never = new AbortController().signal;
const BULK_BYTES = 256 * MIB;
const PIECE_BYTES = 256 * KIB;
const REQUEST = new Uint8Array(32).fill(1);
const REQUEST_COUNT = 5_000;
const DIAL_COUNT = 400;
const ROUNDS = 3;
const server = nodeFromSeed(new Uint8Array(32).fill(2), 0n, 0);

function open(byte: number): Promise<Transport> {
  const runtime: Runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const identity = nodeFromSeed(new Uint8Array(32).fill(byte), 0n, 0);
  const listen = { ip: "127.0.0.1", port: 0 };
  return openQuic({ identity, listen }, runtime, never);
}

async function serve(): Promise<void> {
  await using transport = await open(2);
  console.log(transport.local.port);
  for (;;) {
    const connection = await transport.accept(never);
    if (connection === undefined) return;
    answerAll(connection).catch((error) => console.error(String(error)));
  }
}

async function answerAll(connection: Connection): Promise<void> {
  for (;;) {
    const stream = await connection.accept(never);
    if (stream === undefined) return;
    answer(stream).catch((error) => console.error(String(error)));
  }
}

async function answer(stream: Stream): Promise<void> {
  let echoes: boolean | undefined;
  for (;;) {
    const bytes = await stream.read(never);
    if (bytes === undefined) break;
    echoes ??= bytes.length <= REQUEST.length;
    if (echoes) await stream.write(bytes, never);
  }
  await stream.finish(never);
}

async function bulk(connection: Connection): Promise<void> {
  const piece = new Uint8Array(PIECE_BYTES).fill(1);
  const stream = await connection.open(never);
  for (let sent = 0; sent < BULK_BYTES; sent += piece.length) {
    await stream.write(piece, never);
  }
  await stream.finish(never);
  while (await stream.read(never));
}

async function request(connection: Connection): Promise<void> {
  const stream = await connection.open(never);
  await stream.write(REQUEST, never);
  await stream.finish(never);
  while (await stream.read(never));
}

/** Units a second when each call does `units` of them; the best of three rounds. */
async function bestRate(
  units: number,
  work: () => Promise<unknown>,
): Promise<number> {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    await work();
    best = Math.max(best, units * 1_000 / (performance.now() - startMs));
  }
  return best;
}

function inFlight(work: () => Promise<void>): Promise<unknown> {
  return mapBounded(Array(REQUEST_COUNT).keys(), STREAMS_MAX, work, never);
}

async function measure(): Promise<void> {
  await using peer = await ServingProcess.start(import.meta.url);
  await using raw = await RawQuic.open();
  await using transport = await open(1);
  const address = { ip: "127.0.0.1", port: peer.port };
  const expect = { publicKey: server.publicKey };
  const connection = await transport.dial(address, expect, never);

  const rawBulk = await raw.megabytesPerSecond(BULK_BYTES);
  const ourBulk = await bestRate(BULK_BYTES / 1e6, () => bulk(connection));
  report({ name: "quic.bulk, two processes", value: ourBulk }, "MB/s", {
    name: "one raw Deno QUIC stream",
    value: rawBulk,
  });

  const rawRate = await bestRate(
    REQUEST_COUNT,
    () => inFlight(() => raw.request(REQUEST)),
  );
  const ourRate = await bestRate(
    REQUEST_COUNT,
    () => inFlight(() => request(connection)),
  );
  report({ name: "quic.requests, 16 in flight", value: ourRate }, "/s", {
    name: "fresh raw Deno QUIC streams",
    value: rawRate,
  });

  const rawDials = await bestRate(DIAL_COUNT, () => dials(() => raw.dial()));
  const ourDials = await bestRate(DIAL_COUNT, () =>
    dials(async () => {
      const connection = await transport.dial(address, expect, never);
      connection.close(0, "measured");
    }));
  report({ name: "quic.dials, 16 in flight", value: ourDials }, "/s", {
    name: "raw Deno QUIC dials",
    value: rawDials,
  });
}

function dials(work: () => Promise<void>): Promise<unknown> {
  return mapBounded(Array(DIAL_COUNT).keys(), DIALS_MAX, work, never);
}

if (Deno.args[0] === "serve") {
  await Promise.race([serve(), untilInputEnds()]);
  Deno.exit();
}
await measure();
