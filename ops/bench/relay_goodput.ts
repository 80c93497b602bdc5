/**
 * Bytes of one QUIC stream between two processes, straight or through a pair of a relay. As a program it is the side that swallows:
 * `deno run -A ops/bench/relay_goodput.ts PORT_OF_THE_PAIR`.
 */
import { generateKeyPairSync } from "node:crypto";
import { ALPN, KIB, STREAMS_MAX } from "@tesseras/core/limits";
import { nodeFromSeed } from "@tesseras/crypto";
import { issueChain, pinnedTrust } from "@tesseras/net/certificate";
import { ROOT } from "../cluster/cluster.ts";
import { TextLines } from "./text_lines.ts";

const PIECE_BYTES = 64 * KIB;
const IDENTITY = nodeFromSeed(new Uint8Array(32).fill(1), 0n, 0);
const TRUST = pinnedTrust(IDENTITY.publicKey);
const OPTIONS: Deno.QuicTransportOptions & { alpnProtocols: string[] } = {
  alpnProtocols: [ALPN],
  maxConcurrentBidirectionalStreams: STREAMS_MAX,
  congestionControl: "default",
};

/** A process that swallows; it has opened its side of the pair. */
export class Swallower implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(pairPort: number): Promise<Swallower> {
    const script = `${ROOT}/ops/bench/relay_goodput.ts`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", script, String(pairPort)],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = TextLines.of(child.stdout);
    const port = Number(await lines.next());
    await lines.cancel();
    return new Swallower(child, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}

/** MB/s of so many bytes to whoever answers at a port of loopback, until they say that they have all. The relay knows the endpoint's port. */
export async function goodput(
  endpoint: Deno.QuicEndpoint,
  port: number,
  bytes: number,
): Promise<number> {
  const conn = await dial(endpoint, port);
  const piece = new Uint8Array(PIECE_BYTES).fill(1);
  const startMs = performance.now();
  const stream = await conn.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  for (let left = bytes; left > 0; left -= piece.length) {
    await writer.write(piece);
  }
  await writer.close();
  for await (const _ of stream.readable);
  const tookMs = performance.now() - startMs;
  conn.close();
  return bytes / 1_000 / tookMs;
}

async function dial(
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

async function swallow(pairPort: number): Promise<void> {
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
  // Its first packet tells the relay where this side is; that nobody answers it is no failure.
  dial(endpoint, pairPort).catch(() => {});
  console.log(endpoint.addr.port);
  for await (const incoming of listener) {
    swallowAll(incoming).catch((error) => console.error(String(error)));
  }
}

async function swallowAll(incoming: Deno.QuicIncoming): Promise<void> {
  const conn = await incoming.accept();
  for await (const stream of conn.incomingBidirectionalStreams) {
    const reader = stream.readable.getReader({ mode: "byob" });
    let buffer = new Uint8Array(PIECE_BYTES);
    for (;;) {
      const { value, done } = await reader.read(buffer);
      if (done) break;
      buffer = new Uint8Array(value.buffer);
    }
    await stream.writable.close();
  }
}

if (import.meta.main) {
  const ended = (async () => {
    for await (const _ of Deno.stdin.readable);
  })();
  await Promise.race([swallow(Number(Deno.args[0])), ended]);
  Deno.exit();
}
