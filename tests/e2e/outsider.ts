/** A peer of ours outside every process: it asks over real QUIC what a test wants to know, or what an enemy would try. */
import {
  Counters,
  keyOf,
  parseAddress,
  type Runtime,
  silentLog,
  TesserasError,
} from "@tesseras/core";
import {
  NODE_RECORD_TTL_MS,
  POW_BITS_DEFAULT,
  POW_BITS_MIN,
  SEED_BYTES,
} from "@tesseras/core/limits";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { leadingZeroBits, mintNode, type NodeSigner } from "@tesseras/crypto";
import { Admission, Peers, type Self, type Transport } from "@tesseras/net";
import { openQuic } from "@tesseras/net/quic";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { assertEquals } from "@tesseras/testing";
import { type NodeRecord, signNodeRecord } from "@tesseras/wire";

/** A peer with an identity and a QUIC endpoint. Disposing it closes both. */
export type Outsider = AsyncDisposable & {
  readonly self: Self;
  readonly runtime: Runtime;
  readonly transport: Transport;
  readonly peers: Peers;
  /** Whether a process answers a ping of ours. */
  ping(victim: NodeRecord, signal: AbortSignal): Promise<void>;
};

/** Opens a peer at a loopback address of its own, so that caps per address count it apart. */
export async function openOutsider(
  ip: string,
  identity: NodeSigner,
  signal: AbortSignal,
): Promise<Outsider> {
  const runtime = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    counters: new Counters(),
  };
  await using stack = new AsyncDisposableStack();
  const admission = new Admission({ exemptPrivateIps: true }, runtime);
  const listen = { ip, port: 0 };
  const transport = stack.use(
    await openQuic({ identity, listen }, runtime, signal),
  );
  const record = recordOf(identity);
  const self = { identity, record: () => record, powBits: POW_BITS_DEFAULT };
  const handler = () => {
    throw new TesserasError("refused", "Cannot answer: this peer only asks");
  };
  const peers = stack.use(
    Peers.start({ transport, self, admission, handler }, runtime, signal),
  );
  const opened = stack.move();
  return {
    self,
    runtime,
    transport,
    peers,
    async ping(victim, pingSignal) {
      const { response } = await peers.ask(
        victim,
        { type: "ping" },
        {},
        pingSignal,
      );
      assertEquals(response.type, "pong");
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** An identity with the work the network asks for. */
export function honestIdentity(signal: AbortSignal): Promise<NodeSigner> {
  const options = { powBits: POW_BITS_DEFAULT, clock: systemClock };
  return mintNode(systemRandom.bytes(SEED_BYTES), options, signal);
}

/** An identity with too little work for the network, though not for any network at all. */
export async function cheapIdentity(signal: AbortSignal): Promise<NodeSigner> {
  const options = { powBits: POW_BITS_MIN, clock: systemClock };
  for (;;) {
    const seed = systemRandom.bytes(SEED_BYTES);
    const signer = await mintNode(seed, options, signal);
    // One in 256 happens to be good enough.
    if (leadingZeroBits(signer.id) < POW_BITS_DEFAULT) return signer;
  }
}

/** A signed record without addresses: nobody is to look for a peer that is gone in a moment. */
function recordOf(identity: NodeSigner): NodeRecord {
  const nowMs = systemClock.nowMs();
  return signNodeRecord({
    addresses: [],
    capabilities: 0,
    nat: "public",
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, identity);
}

/** The record of a process of the cluster, from itself. */
export async function recordAt(
  outsider: Outsider,
  info: ChildInfo,
  signal: AbortSignal,
): Promise<NodeRecord> {
  const address = parseAddress(info.address);
  const record = await outsider.peers.firstContact(address, signal);
  assertEquals(keyOf(record.id), info.id);
  return record;
}
