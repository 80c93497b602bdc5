/**
 * How many newcomers a second one bootstrap process lets in over QUIC on loopback: each dials, proves who it is, learns its
 * observed address and asks for the nodes closest to itself. Beside what admission lets through in the long run.
 */
import { join } from "node:path";
import { Counters, mapBounded, parseAddress, silentLog } from "@tesseras/core";
import { HANDSHAKES_PER_SECOND, POW_BITS_MIN } from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode, type NodeSigner } from "@tesseras/crypto";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { Node } from "@tesseras/node";
import type { NodeRecord } from "@tesseras/wire";
import { report } from "../../tests/bench.ts";
import { Child } from "../cluster/child.ts";
import { ROOT } from "../cluster/cluster.ts";

const NEWCOMERS = 600;
/** Newcomers at the door at once. */
const AT_ONCE = 16;
/** Ticks of the kernel's accounts in a second (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const never = new AbortController().signal;

if (import.meta.main) {
  const dir = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
  const child = Child.start({
    name: "bootstrap",
    role: "bootstrap",
    dataDir: join(dir, "bootstrap"),
    bootstrap: [],
    root: ROOT,
    settings: { TESSERAS_NODE_POW_BITS: String(POW_BITS_MIN) },
  });
  try {
    const { address } = await child.listening(never);
    await measure(address, child.pid);
  } finally {
    child.kill("SIGTERM");
    await child.ended();
    await Deno.remove(dir, { recursive: true });
  }
}

async function measure(address: string, pid: number): Promise<void> {
  const identities: NodeSigner[] = [];
  for (let n = 0; n <= NEWCOMERS; n++) {
    const work = { powBits: POW_BITS_MIN, clock: systemClock };
    identities.push(await mintNode(systemRandom.bytes(32), work, never));
  }
  const scout = await newcomer(identities.pop()!);
  const entry = await scout.peers.firstContact(parseAddress(address), never);
  await scout[Symbol.asyncDispose]();
  const workedMs = processorMs(pid);
  const startMs = performance.now();
  const waits = await mapBounded(
    identities,
    AT_ONCE,
    (identity) => enter(identity, entry),
    never,
  );
  const seconds = (performance.now() - startMs) / 1_000;
  const eachMs = (processorMs(pid) - workedMs) / NEWCOMERS;
  report(
    {
      name: "newcomers let in, all played by one process",
      value: NEWCOMERS / seconds,
    },
    "1/s",
    {
      name: "handshakes admitted in the long run",
      value: HANDSHAKES_PER_SECOND,
    },
  );
  report(
    { name: "newcomers one core of the entry lets in", value: 1_000 / eachMs },
    "1/s",
    {
      name: "handshakes admitted in the long run",
      value: HANDSHAKES_PER_SECOND,
    },
  );
  const median = waits.toSorted((a, b) => a - b)[waits.length >> 1]!;
  report(
    { name: `median wait of a newcomer, ${AT_ONCE} at once`, value: median },
    "ms",
    { name: "one alone", value: await alone(entry) },
  );
}

/** Processor time a process has taken so far, in milliseconds (proc(5), fields 14 and 15). */
function processorMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND * 1_000;
}

/** Milliseconds from the first packet to the answer that names peers. */
async function enter(
  identity: NodeSigner,
  entry: NodeRecord,
): Promise<number> {
  await using node = await newcomer(identity);
  const startMs = performance.now();
  await node.ping(entry, never);
  const question = { type: "find_node", target: node.id, want: 0 } as const;
  await node.ask(entry, question, {}, never);
  return performance.now() - startMs;
}

async function alone(entry: NodeRecord): Promise<number> {
  const work = { powBits: POW_BITS_MIN, clock: systemClock };
  const waits: number[] = [];
  for (let times = 0; times < 11; times++) {
    const identity = await mintNode(systemRandom.bytes(32), work, never);
    waits.push(await enter(identity, entry));
  }
  return waits.toSorted((a, b) => a - b)[waits.length >> 1]!;
}

async function newcomer(identity: NodeSigner): Promise<Node> {
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  const admission = new Admission({ exemptPrivateIps: true }, runtime);
  const listen = { ip: "127.0.0.1", port: 0 };
  const transport = await openQuic({ identity, listen }, runtime, never);
  return Node.open(
    {
      identity,
      transport,
      admission,
      addresses: [transport.local],
      powBits: POW_BITS_MIN,
    },
    () => [],
    runtime,
  );
}
