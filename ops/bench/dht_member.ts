/**
 * Several nodes of a DHT in one process, for `dht_bench.ts`: real QUIC, tables and records, memory for a database. Takes one
 * command a line on its input and answers each with one line of JSON; ends with its input.
 */
import {
  type Address,
  Counters,
  formatAddress,
  hash,
  nodeId,
  parseAddress,
  parseTesseraId,
  silentLog,
} from "@tesseras/core";
import {
  NODE_ID_BYTES,
  NODE_RECORD_TTL_MS,
  POW_BITS_MIN,
} from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode } from "@tesseras/crypto";
import { Admission } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import {
  findNodes,
  findProviders,
  join,
  Node,
  storeProviders,
} from "@tesseras/node";
import { dhtRole } from "@tesseras/roles";
import { MemoryState } from "@tesseras/state";
import { signProviderRecord } from "@tesseras/wire";

/** What a process of nodes is told to do. */
export type Command =
  | {
    readonly do: "start";
    readonly count: number;
    readonly entry: string | undefined;
  }
  | { readonly do: "lookup"; readonly count: number }
  | { readonly do: "publish"; readonly keys: readonly string[] }
  | { readonly do: "find"; readonly keys: readonly string[] };

/** What it answers. */
export type Answer = {
  readonly address: string;
  /** Milliseconds of each step: a join, a lookup, a key stored or found. */
  readonly tookMs: readonly number[];
  /** Keys that a node found nobody for. */
  readonly missing: readonly string[];
};

const never = new AbortController().signal;
const runtime = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  counters: new Counters(),
};
const nodes: { readonly node: Node; readonly address: Address }[] = [];

async function start(count: number, entry: string | undefined) {
  const tookMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const identity = await mintNode(
      systemRandom.bytes(32),
      { powBits: POW_BITS_MIN, clock: systemClock },
      never,
    );
    const admission = new Admission({ exemptPrivateIps: true }, runtime);
    const transport = await openQuic(
      {
        identity,
        listen: { ip: "127.0.0.1", port: 0 },
        admit: admission.admit,
      },
      runtime,
      never,
    );
    const address = transport.local;
    const node = Node.open(
      {
        identity,
        transport,
        admission,
        addresses: [address],
        powBits: POW_BITS_MIN,
      },
      (made) => [dhtRole(made, { state: new MemoryState() })],
      runtime,
    );
    nodes.push({ node, address });
    const way = entry ??
      (nodes.length > 1 ? formatAddress(nodes[0]!.address) : undefined);
    if (way === undefined) continue;
    tookMs.push(
      await timed(() => join(node, [parseAddress(way)], never)),
    );
  }
  return { tookMs, missing: [] };
}

async function lookups(count: number) {
  const tookMs: number[] = [];
  for (let i = 0; i < count; i++) {
    const target = nodeId(systemRandom.bytes(NODE_ID_BYTES));
    tookMs.push(await timed(() => findNodes(any(), target, {}, never)));
  }
  return { tookMs, missing: [] };
}

/** Each key is announced by one of our nodes, as a holder of it would. */
async function publish(keys: readonly string[]) {
  const tookMs: number[] = [];
  for (const key of keys) {
    const node = any();
    const nowMs = systemClock.nowMs();
    const tesseraId = parseTesseraId(key);
    const record = signProviderRecord({
      tesseraId,
      planHash: hash(tesseraId),
      indices: [0],
      sequence: nowMs,
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
    }, node.identity);
    const provider = { record, holder: node.record() };
    tookMs.push(
      await timed(() => storeProviders(node, tesseraId, [provider], never)),
    );
  }
  return { tookMs, missing: [] };
}

/** Every one of our nodes in turn asks for a key. */
async function find(keys: readonly string[]) {
  const tookMs: number[] = [];
  const missing: string[] = [];
  for (const [at, key] of keys.entries()) {
    const { node } = nodes[at % nodes.length]!;
    tookMs.push(
      await timed(async () => {
        const found = await findProviders(node, parseTesseraId(key), never);
        if (found.length === 0) missing.push(key);
      }),
    );
  }
  return { tookMs, missing };
}

function any(): Node {
  return nodes[systemRandom.below(nodes.length)]!.node;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const fromMs = performance.now();
  await work();
  return performance.now() - fromMs;
}

async function obey(command: Command) {
  switch (command.do) {
    case "start":
      return await start(command.count, command.entry);
    case "lookup":
      return await lookups(command.count);
    case "publish":
      return await publish(command.keys);
    case "find":
      return await find(command.keys);
  }
}

if (import.meta.main) {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  let rest = "";
  for await (const text of lines) {
    const [...commands] = (rest + text).split("\n");
    rest = commands.pop()!;
    for (const line of commands) {
      const done = await obey(JSON.parse(line) as Command);
      const answer: Answer = {
        ...done,
        address: formatAddress(nodes[0]!.address),
      };
      console.log(JSON.stringify(answer));
    }
  }
  Deno.exit();
}
