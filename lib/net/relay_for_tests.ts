/** A relay on the simulated network: grants every pair a session and forwards its packets, by the rules of `lib/nat`. */
import { type Address, keyOf } from "@tesseras/core";
import {
  NODE_RECORD_TTL_MS,
  POW_BITS_MIN,
  RELAY_BURST_BYTES,
  RELAY_IDLE_MS,
  RELAY_JOIN_MS,
  RELAY_RECIPROCAL_BYTES_PER_SECOND,
} from "@tesseras/core/limits";
import { otherSide, RelaySession, type Side } from "@tesseras/nat";
import {
  CAPABILITIES,
  type NodeRecord,
  readFresh,
  RELAY_ENDED,
  RELAY_GRANTED,
  RELAY_WANTED,
  type RelayEnd,
  signFresh,
  signNodeRecord,
} from "@tesseras/wire";
import { handlerOf, never, type TestNode } from "./node_for_tests.ts";
import type { Handler, Reply } from "./serve.ts";
import type { World } from "./world_for_tests.ts";

type Pair = {
  readonly session: RelaySession;
  readonly ports: readonly [Address, Address];
  /** Both peers, as far as they have asked. */
  readonly peers: Map<string, NodeRecord>;
};

const TERMS = {
  bytesPerSecond: RELAY_RECIPROCAL_BYTES_PER_SECOND,
  burstBytes: RELAY_BURST_BYTES,
  lastsMs: Infinity,
  idleMs: RELAY_IDLE_MS,
  joinMs: RELAY_JOIN_MS,
};

/** A relay, and what it forwards. */
export class TestRelay {
  readonly #world: World;
  readonly #pairs = new Map<string, Pair>();
  /** Why peers have ended sessions. */
  readonly ended: RelayEnd[] = [];
  /** Sessions it has granted. */
  granted = 0;
  node!: TestNode;

  private constructor(world: World) {
    this.#world = world;
  }

  /** Starts one at the address of a seed. */
  static async start(world: World, seed: number): Promise<TestRelay> {
    const relay = new TestRelay(world);
    const handler: Handler = async (from, request, bulk, signal) => {
      if (request.type === "relay_request") {
        return relay.#grant(from, request.request);
      }
      if (request.type === "relay_close") return relay.#close(request.end);
      const others = handlerOf(() => relay.record);
      return await others(from, request, bulk, signal);
    };
    relay.node = await world.node(seed, { handler });
    return relay;
  }

  /** What others are told of it. */
  get record(): NodeRecord {
    const nowMs = this.#world.clock.nowMs();
    const address = this.node.transport.local;
    return signNodeRecord({
      addresses: [address],
      capabilities: CAPABILITIES.RELAY,
      nat: "public",
      sequence: nowMs,
      expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
      relay: { address, freeSlots: 50, kilobytesPerSecond: 256 },
    }, this.node.self.identity);
  }

  /** Bytes it has handed on. */
  get forwardedBytes(): number {
    return [...this.#pairs.values()]
      .reduce((sum, { session }) => sum + session.bytes, 0);
  }

  /** Ends every session: all who asked for it are told, and packets pass until the grace is over. */
  async end(why: RelayEnd, graceMs: number): Promise<void> {
    const pairs = [...this.#pairs.values()];
    this.#pairs.clear();
    const { clock } = this.#world;
    const signer = this.node.self.identity;
    const told = pairs.flatMap(({ session, peers }) =>
      [...peers.values()].map(async (peer) => {
        const words = { to: peer.id, session: session.id, why, graceMs };
        const nowMs = clock.nowMs();
        const end = signFresh(RELAY_ENDED, words, { signer, nowMs }).bytes;
        const request = { type: "relay_close", end } as const;
        await this.node.peers.ask(peer, request, {}, never);
      })
    );
    await Promise.all(told);
    await clock.sleep(graceMs, never);
    for (const { session } of pairs) session.close();
  }

  /** Ends without a word to anybody. */
  die(): void {
    for (const { session } of this.#pairs.values()) session.close();
    this.#world.network.crash(this.node.transport.local);
  }

  #grant(from: NodeRecord, bytes: Uint8Array): Reply {
    const nowMs = this.#world.clock.nowMs();
    const rules = { nowMs, powBits: POW_BITS_MIN };
    const { peer } = readFresh(RELAY_WANTED, bytes, rules);
    const { ip } = this.node.peers.remoteOf(from.id)!;
    const ids = [keyOf(from.id), keyOf(peer)].sort();
    const pair = this.#pairs.get(`${ids}`) ?? this.#open(ids, ip);
    const side: Side = ids[0] === keyOf(from.id) ? 0 : 1;
    pair.session.join(side, ip, this.#world.clock.monotonicMs());
    pair.peers.set(keyOf(from.id), from);
    const granted = {
      session: pair.session.id,
      to: from.id,
      peer,
      address: pair.ports[side],
      bytesPerSecond: TERMS.bytesPerSecond,
      lastsMs: undefined,
    };
    const signer = this.node.self.identity;
    const offer = signFresh(RELAY_GRANTED, granted, { signer, nowMs }).bytes;
    return { response: { type: "relay_offer", offer } };
  }

  #open(ids: readonly string[], ip: string): Pair {
    const { clock, network, random } = this.#world;
    const peers = [ids[0]!, ids[1]!] as const;
    const parts = { id: random.bytes(16), peers, ip, terms: TERMS };
    const session = new RelaySession(parts, clock.monotonicMs());
    const at = this.node.transport.local.ip;
    const port = 40_000 + 2 * this.granted++;
    const ports = [{ ip: at, port }, { ip: at, port: port + 1 }] as const;
    for (const side of [0, 1] as const) {
      network.handOn(ports[side], ({ source, bytes }) => {
        const packet = { ...source, bytes };
        const verdict = session.packet(side, packet, clock.monotonicMs());
        if (verdict !== "forward") return undefined;
        const other = otherSide(side);
        return { source: ports[other], to: session.addressOf(other)! };
      });
    }
    const pair = { session, ports, peers: new Map() };
    this.#pairs.set(`${ids}`, pair);
    return pair;
  }

  #close(bytes: Uint8Array): Reply {
    const nowMs = this.#world.clock.nowMs();
    const rules = { nowMs, powBits: POW_BITS_MIN };
    const { session, why } = readFresh(RELAY_ENDED, bytes, rules);
    for (const [name, pair] of this.#pairs) {
      if (keyOf(pair.session.id) !== keyOf(session)) continue;
      pair.session.close();
      this.#pairs.delete(name);
      this.ended.push(why);
    }
    return { response: { type: "relay_closed" } };
  }
}
