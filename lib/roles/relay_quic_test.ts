// Real packets and the real role in one process: two nodes behind symmetric NATs, as they say, meet over a relay by themselves.
import {
  Counters,
  hash,
  type Runtime,
  SeededRandom,
  silentLog,
} from "@tesseras/core";
import {
  MIB,
  NODE_RECORD_TTL_MS,
  POW_BITS_MIN,
  RELAY_SESSIONS_MAX,
} from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { mintNode } from "@tesseras/crypto";
import { MonthVolume, RELAY_DEFAULTS } from "@tesseras/nat";
import {
  Admission,
  bulkOf,
  collectBulk,
  type Handler,
  Peers,
  type Standing,
} from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import { Node } from "@tesseras/node";
import { openForwarder } from "@tesseras/relay/open";
import { MemoryState } from "@tesseras/state";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { never } from "@tesseras/testing/sim";
import { type NodeRecord, signNodeRecord } from "@tesseras/wire";
import { relayRole } from "./relay.ts";

const powBits = POW_BITS_MIN;
const listen = { ip: "127.0.0.1", port: 0 };
const SYMMETRIC: Standing = {
  realm: "lab",
  own: [],
  kind: "symmetric",
  likely: () => undefined,
};

/** A transport of its own on loopback, and what a node needs beside it. */
async function ground(seed: number) {
  const counters = new Counters();
  const runtime: Runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters,
  };
  const bytes = new SeededRandom(seed).bytes(32);
  const work = { powBits, clock: systemClock };
  const identity = await mintNode(bytes, work, never);
  const admission = new Admission({ exemptPrivateIps: true }, runtime);
  const { admit } = admission;
  const transport = await openQuic({ identity, listen, admit }, runtime, never);
  return { runtime, counters, identity, admission, transport };
}

/** A public node that relays; it introduces those it knows to each other, too. */
async function startRelay(stack: AsyncDisposableStack): Promise<Node> {
  const { runtime, ...parts } = await ground(1);
  const { local } = parts.transport;
  const room = {
    ip: listen.ip,
    ports: { from: 0, to: 0 },
    pairsMax: RELAY_SESSIONS_MAX,
  };
  const forwarder = stack.use(await openForwarder(room, runtime, never));
  const surroundings = {
    realm: "lab",
    own: [local],
    isConfigured: true,
  } as const;
  const volume = new MonthVolume(Infinity, undefined, runtime.clock.nowMs());
  const options = {
    forwarder,
    limits: { ...RELAY_DEFAULTS, strangerBytesPerSecond: 4 * MIB },
    volume,
    state: new MemoryState(),
  };
  const node = Node.open(
    { ...parts, addresses: [local], powBits, surroundings },
    (made) => [relayRole(made, options)],
    runtime,
  );
  return stack.use(node);
}

/** A node that nobody can dial, and that knows a relay. */
async function startGuest(
  stack: AsyncDisposableStack,
  seed: number,
  relay: Node,
) {
  const { identity, runtime, ...parts } = await ground(seed);
  const { transport } = parts;
  stack.use(transport);
  const nowMs = systemClock.nowMs();
  const record: NodeRecord = signNodeRecord({
    addresses: [],
    capabilities: 0,
    nat: "symmetric",
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, identity);
  const handler: Handler = (_from, request) => {
    if (request.type === "ping") {
      const observed = transport.local;
      const pong = { type: "pong", record: record.bytes, observed } as const;
      return Promise.resolve({ response: pong });
    }
    if (request.type !== "get_fragment") throw new Error(request.type);
    const bulk = bulkOf(new Uint8Array(request.length).fill(7));
    return Promise.resolve({
      response: { type: "fragment", bulk: bulk.bytes },
      bulk,
    });
  };
  const self = { identity, record: () => record, powBits };
  const relays = () => [relay.record()];
  const peers = stack.use(Peers.start(
    { ...parts, self, handler, relays, standing: SYMMETRIC },
    runtime,
    never,
  ));
  await peers.ask(relay.record(), { type: "ping" }, {}, never);
  return { peers, record, counters: parts.counters };
}

Deno.test("QUIC: two behind symmetric NATs meet over a relay by themselves, and a fragment passes whole", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = await startRelay(stack);
  const a = await startGuest(stack, 2, relay);
  const b = await startGuest(stack, 3, relay);
  const length = MIB / 2;
  const request = {
    type: "get_fragment",
    plan: hash(new Uint8Array(32)),
    index: 0,
    offset: 0,
    length,
  } as const;
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const { bulk } = await from.peers.ask(to.record, request, {}, never);
    const bytes = await collectBulk(bulk!, never);
    assertEquals(bytes, new Uint8Array(length).fill(7));
    const ways = from.peers.sessions().filter(({ way }) => way === "relayed");
    assertTrue(ways.length > 0, "relayed");
  }
  assertEquals(a.counters.get("punch.tried"), 0);
  assertEquals(a.counters.get("relayed.asked"), 1);
  assertEquals(b.counters.get("relayed.followed"), 1);
});
