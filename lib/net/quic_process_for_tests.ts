/** A node of these tests in a process of its own, so that it can be killed without a word. */
import { fileURLToPath } from "node:url";
import { orAbort } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { never, runtimeOn, startNode } from "./node_for_tests.ts";
import { openQuic } from "./quic.ts";

/** How long a process may take to start on a busy machine. */
const PATIENCE_MS = 30_000;

/** A running node. Disposing it kills it. */
export class NodeProcess implements AsyncDisposable {
  /** The UDP port it answers on, at 127.0.0.1. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts the node of a seed at a port, or at any free one for 0, and waits until it answers. */
  static async start(seed: number, port: number): Promise<NodeProcess> {
    const script = fileURLToPath(import.meta.url);
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--quiet",
        script,
        `${seed}`,
        `${port}`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      using patience = systemClock.deadline(PATIENCE_MS, never);
      const line = await orAbort(firstLine(child.stdout), patience.signal);
      return new NodeProcess(child, Number(line));
    } catch (error) {
      child.kill("SIGKILL");
      await child.status;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** The first line of a stream, which is then closed. */
async function firstLine(from: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of from.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes("\n")) return text;
  }
  throw new Error("the node ended before it answered");
}

if (import.meta.main) {
  const [seed, port] = Deno.args.map(Number) as [number, number];
  const runtime = runtimeOn(systemClock, systemRandom);
  const node = await startNode({
    seed,
    options: {},
    runtime,
    open: (identity, admit) =>
      openQuic(
        { identity, listen: { ip: "127.0.0.1", port }, admit },
        runtime,
        never,
      ),
  });
  await Deno.stdout.write(
    new TextEncoder().encode(`${node.transport.local.port}\n`),
  );
}
