/** `deno task cluster`: a local network as one command. */
import { resolve } from "node:path";
import { codeOf, messageOf, TesserasError } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import { parseArgs } from "@std/cli/parse-args";
import { Cluster, type ClusterShape, DEFAULT_SHAPE } from "./cluster.ts";

/** Signals within this time are one request. */
const SAME_SIGNAL_MS = 500;

const HELP = `Starts a local network and keeps it until Ctrl-C

Usage: deno task cluster [--nodes N] [--relays N] [--dir DIR]

Options:
  --nodes N   Processes in all, at least 5 [default: 12: 2 bootstrap, 1 dht, 8 store, 1 node]
  --relays N  Relays beside them [default: 0]
  --dir DIR   Where the nodes keep their data [default: a new temporary folder, removed at the end]
  --help      Print this help`;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  try {
    const unknown: string[] = [];
    const parsed = parseArgs(args, {
      boolean: ["help"],
      string: ["nodes", "relays", "dir"],
      unknown: (flag) => unknown.push(flag),
    });
    if (parsed.help) {
      console.log(HELP);
      return 0;
    }
    const odd = unknown[0] ?? parsed._[0];
    if (odd !== undefined) {
      throw new TesserasError(
        "unusable",
        `Cannot start a cluster: ${
          JSON.stringify(odd)
        } is not known; see --help`,
      );
    }
    const shape = {
      ...shapeOf(parsed.nodes),
      relay: relaysOf(parsed.relays),
    };
    const given = parsed.dir;
    if (given !== undefined && (typeof given !== "string" || given === "")) {
      throw new TesserasError(
        "unusable",
        "Cannot start a cluster: --dir wants one folder",
      );
    }
    const dir = given === undefined
      ? await Deno.makeTempDir({ prefix: "tesseras-cluster-" })
      : resolve(given);
    try {
      return await keep(dir, shape);
    } finally {
      if (given === undefined) await Deno.remove(dir, { recursive: true });
    }
  } catch (error) {
    if (codeOf(error) === "cancelled") return 0;
    if (codeOf(error) === undefined) throw error;
    console.error(`cluster: ${messageOf(error)}`);
    return codeOf(error) === "unusable" ? 2 : 1;
  }
}

async function keep(dir: string, shape: ClusterShape): Promise<number> {
  const stop = new AbortController();
  onSignals(() => stop.abort());
  await using cluster = await Cluster.start(
    dir,
    shape,
    ({ name, id, address, pid }) =>
      console.log(
        `${name.padEnd(12)} ${address.padEnd(21)} ${id} pid ${pid}`,
      ),
    stop.signal,
  );
  console.log(
    `cluster ready: ${cluster.infos.length} processes, ${dir}/cluster.json`,
  );
  const stopped = new Promise<undefined>((end) => {
    if (stop.signal.aborted) end(undefined);
    stop.signal.addEventListener("abort", () => end(undefined));
  });
  const dead = await Promise.race([stopped, cluster.died]);
  if (dead === undefined) return 0;
  const { code, signal } = await dead.status;
  console.error(
    `cluster: ${dead.spec.name} ended by itself (${
      signal ?? `exit code ${code}`
    }); stopping the others; its log is ${dead.spec.dataDir}.log`,
  );
  return 1;
}

/**
 * The first signal stops in order. A later one ends this process at once, and with it the pipes that keep the others alive.
 * Ctrl-C reaches a group twice within a moment, which is one.
 */
function onSignals(stop: () => void): void {
  let askedMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = systemClock.monotonicMs();
    askedMs ??= nowMs;
    if (nowMs - askedMs > SAME_SIGNAL_MS) Deno.exit(1);
    stop();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, onSignal);
  }
}

function relaysOf(relays: unknown): number {
  const count = relays === undefined ? 0 : relays === "" ? NaN : Number(relays);
  if (Number.isSafeInteger(count) && count >= 0 && count <= 50) return count;
  throw new TesserasError(
    "unusable",
    `Cannot start ${relays} relays: wanted a whole number from 0 to 50`,
  );
}

function shapeOf(nodes: unknown): ClusterShape {
  if (nodes === undefined) return DEFAULT_SHAPE;
  const count = nodes === "" ? NaN : Number(nodes);
  if (!Number.isSafeInteger(count) || count < 5 || count > 200) {
    throw new TesserasError(
      "unusable",
      `Cannot start ${nodes} nodes: wanted a whole number from 5 to 200`,
    );
  }
  return { ...DEFAULT_SHAPE, store: count - 4 };
}
