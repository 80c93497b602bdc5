/**
 * The yardstick for everything that moves bytes: Deno's own QUIC between two processes on loopback, with nothing of ours on it but
 * the certificate. As a program it prints the speed of one stream: `deno run -A tests/bench/raw_quic.ts [BYTES]`.
 */
import { generateKeyPairSync } from "node:crypto";
import { ALPN, KIB, MIB, STREAMS_MAX } from "@tesseras/core/limits";
import { nodeFromSeed } from "@tesseras/crypto";
import { issueChain, pinnedTrust } from "@tesseras/net/certificate";

/** Bytes of one write, and of the buffer that one read fills. Larger ones were no faster (measured). */
const PIECE_BYTES = 64 * KIB;
/** A stream whose first bytes are at most so many is answered byte for byte; a longer one is swallowed. */
const REQUEST_BYTES_MAX = 64;
/** Bytes of the first read's buffer: zeroing large ones is what requests would mostly do (measured). */
const FIRST_READ_BYTES = 4 * KIB;
const ROUNDS = 3;

const IDENTITY = nodeFromSeed(new Uint8Array(32).fill(1), 0n, 0);
const OPTIONS: Deno.QuicTransportOptions & { alpnProtocols: string[] } = {
  alpnProtocols: [ALPN],
  maxConcurrentBidirectionalStreams: STREAMS_MAX,
  congestionControl: "default",
};
const TRUST = pinnedTrust(IDENTITY.publicKey);

/** A connection to a process that swallows and echoes. */
export class RawQuic implements AsyncDisposable {
  readonly #endpoint: Deno.QuicEndpoint;
  readonly #conn: Deno.QuicConn;
  readonly #peer: ServingProcess;

  private constructor(
    endpoint: Deno.QuicEndpoint,
    conn: Deno.QuicConn,
    peer: ServingProcess,
  ) {
    this.#endpoint = endpoint;
    this.#conn = conn;
    this.#peer = peer;
  }

  /** Starts the process and connects to it. */
  static async open(): Promise<RawQuic> {
    const peer = await ServingProcess.start(import.meta.url);
    const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
    return new RawQuic(endpoint, await connect(endpoint, peer.port), peer);
  }

  /** MB/s of so many bytes on one stream until the peer has said that it has all of them; the best of three rounds. */
  async megabytesPerSecond(bytes: number): Promise<number> {
    const piece = new Uint8Array(PIECE_BYTES).fill(1);
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const startMs = performance.now();
      const stream = await this.#conn.createBidirectionalStream();
      const writer = stream.writable.getWriter();
      for (let left = bytes; left > 0; left -= piece.length) {
        await writer.write(piece.subarray(0, Math.min(left, piece.length)));
      }
      await writer.close();
      await drain(stream.readable);
      best = Math.max(best, bytes / 1_000 / (performance.now() - startMs));
    }
    return best;
  }

  /** One request on a fresh stream. */
  async request(bytes: Uint8Array): Promise<void> {
    const stream = await this.#conn.createBidirectionalStream({
      waitUntilAvailable: true,
    });
    const writer = stream.writable.getWriter();
    await writer.write(bytes);
    await writer.close();
    await drain(stream.readable);
  }

  /** One more connection from the same endpoint, closed as soon as it stands. */
  async dial(): Promise<void> {
    const conn = await connect(this.#endpoint, this.#peer.port);
    conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoint.close();
    await this.#peer[Symbol.asyncDispose]();
  }
}

async function connect(
  endpoint: Deno.QuicEndpoint,
  port: number,
): Promise<Deno.QuicConn> {
  return await Deno.connectQuic({
    ...OPTIONS,
    endpoint,
    hostname: "127.0.0.1",
    port,
    serverName: TRUST.serverName,
    caCerts: [TRUST.anchorPem],
  });
}

/** A copy of a bench that serves: the script, started with `serve`, prints its port and answers until its input ends. */
export class ServingProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts the script at this address. */
  static async start(script: string): Promise<ServingProcess> {
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `--config=${config}`, script, "serve"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new ServingProcess(child, Number(new TextDecoder().decode(value)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}

/** Waits until whoever started this process has closed its input, or is gone. */
export async function untilInputEnds(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

async function serve(): Promise<void> {
  const leaf = generateKeyPairSync("ed25519");
  const leafSpki = leaf.publicKey.export({ type: "spki", format: "der" });
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const listener = endpoint.listen({
    ...OPTIONS,
    cert: issueChain({
      identity: IDENTITY,
      leafSpki: Uint8Array.from(leafSpki),
      serial: Uint8Array.of(1),
    }),
    key: String(leaf.privateKey.export({ type: "pkcs8", format: "pem" })),
  });
  console.log(endpoint.addr.port);
  for await (const incoming of listener) {
    answerAll(incoming).catch((error) => console.error(String(error)));
  }
}

async function answerAll(incoming: Deno.QuicIncoming): Promise<void> {
  const conn = await incoming.accept();
  for await (const stream of conn.incomingBidirectionalStreams) {
    answer(stream).catch((error) => console.error(String(error)));
  }
}

async function answer(stream: Deno.QuicBidirectionalStream): Promise<void> {
  const reader = stream.readable.getReader({ mode: "byob" });
  const writer = stream.writable.getWriter();
  let buffer = new Uint8Array(FIRST_READ_BYTES);
  let echoes: boolean | undefined;
  for (;;) {
    const { value, done } = await reader.read(buffer);
    if (done) break;
    echoes ??= value.length <= REQUEST_BYTES_MAX;
    if (echoes) await writer.write(value.slice());
    buffer = new Uint8Array(echoes ? value.buffer : spare(value));
  }
  await writer.close();
}

/** The buffer of the last read, or the first large one. */
function spare(value: Uint8Array<ArrayBuffer>): ArrayBuffer {
  const grown = value.buffer.byteLength === PIECE_BYTES;
  return grown ? value.buffer : new ArrayBuffer(PIECE_BYTES);
}

async function drain(readable: Deno.QuicReceiveStream): Promise<void> {
  const reader = readable.getReader({ mode: "byob" });
  let buffer = new Uint8Array(REQUEST_BYTES_MAX);
  for (;;) {
    const { value, done } = await reader.read(buffer);
    if (done) return;
    buffer = new Uint8Array(value.buffer);
  }
}

if (import.meta.main) {
  if (Deno.args[0] === "serve") {
    await Promise.race([serve(), untilInputEnds()]);
    Deno.exit();
  }
  const bytes = Number(Deno.args[0] ?? 256 * MIB);
  await using raw = await RawQuic.open();
  const value = Math.round(await raw.megabytesPerSecond(bytes));
  const name = `raw QUIC, one stream, ${bytes} bytes`;
  console.log(JSON.stringify({ name, value, unit: "MB/s" }));
}
