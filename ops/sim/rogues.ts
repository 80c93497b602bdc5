/** Attackers: identities that follow no rule but their handler's, alone or as one ring that knows everything. */
import {
  type Address,
  Counters,
  type NodeId,
  nodeId,
  type Runtime,
  SeededRandom,
  silentLog,
} from "@tesseras/core";
import { NODE_RECORD_TTL_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import { closer } from "@tesseras/kad";
import {
  Admission,
  type Handler,
  type PeerNet,
  type Reply,
} from "@tesseras/net";
import { CAPABILITIES, type NodeRecord, signNodeRecord } from "@tesseras/wire";
import { type Citizen, type City, never } from "./city.ts";

/** One identity of an attacker. */
export type Rogue = {
  readonly record: NodeRecord;
  readonly identity: NodeSigner;
  readonly peers: PeerNet;
};

/** What an identity is given. */
export type RogueOptions = {
  readonly handler: (self: NodeRecord) => Handler;
  readonly address: Address;
  /** The id the attacker ground for; the one its key really has when left out. */
  readonly id?: NodeId;
};

/** Bits of a ground id that fit the victim's key, beyond the zeros of its work: nearer than any honest node of any network. */
const GROUND_BITS = 40;
/** Nodes named in one answer. */
const NAMED_MAX = 20;

/** Starts one identity on a network. */
export async function rogue(
  city: City,
  options: RogueOptions,
): Promise<Rogue> {
  const runtime: Runtime = {
    clock: city.clock,
    random: city.random.fork(),
    log: silentLog,
    counters: new Counters(),
  };
  const identity = await city.identity();
  const nowMs = city.clock.nowMs();
  const signed = signNodeRecord({
    addresses: [options.address],
    capabilities: CAPABILITIES.DHT,
    nat: "public",
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, identity);
  const id = options.id ?? signed.id;
  if (options.id !== undefined) city.records.assign(signed.publicKey, id);
  const record = { ...signed, id };
  const host = {
    address: options.address,
    nat: "public",
    isGated: true,
    admission: new Admission({ identitiesMax: 16 }, runtime),
  } as const;
  const peers = city.net.open(host)(
    {
      self: {
        identity: { ...identity, id },
        record: () => record,
        powBits: POW_BITS_MIN,
      },
      handler: options.handler(record),
      onSession: () => {},
      onLeave: () => {},
    },
    runtime,
    never,
  );
  return { record, identity, peers };
}

/** An id next to a key: the zeros that work gives every id, then the key's bits, then anything. */
export function groundId(key: NodeId, random: SeededRandom): NodeId {
  const id = random.bytes(key.length);
  for (let bit = 0; bit < POW_BITS_MIN + GROUND_BITS; bit++) {
    const mask = 0x80 >> (bit & 7);
    const isSet = bit >= POW_BITS_MIN && (key[bit >> 3]! & mask) !== 0;
    id[bit >> 3] = isSet ? id[bit >> 3]! | mask : id[bit >> 3]! & ~mask;
  }
  return nodeId(id);
}

/** How a ring is made. */
export type RingOptions = {
  readonly count: number;
  /** The key all ids are ground for; every id is an honest one's equal without. */
  readonly key?: NodeId;
  /** How many /24 the identities have between them. */
  readonly subnetCount: number;
};

/**
 * Identities that work together: each names only members of the ring, takes every record and forgets it, and knows of none.
 */
export class Ring {
  readonly members: readonly Rogue[];
  readonly #records: NodeRecord[];

  private constructor(members: readonly Rogue[], records: NodeRecord[]) {
    this.members = members;
    this.#records = records;
  }

  static async open(city: City, options: RingOptions): Promise<Ring> {
    const { count, key, subnetCount } = options;
    const random = city.random.fork();
    const records: NodeRecord[] = [];
    const members: Rogue[] = [];
    for (let i = 0; i < count; i++) {
      const subnet = i % subnetCount;
      const member = await rogue(city, {
        handler: (self) => (from, request) =>
          Promise.resolve(answer(self, from, request, records)),
        address: {
          ip: `12.${subnet >> 8}.${subnet & 255}.${
            1 + Math.floor(i / subnetCount) % 250
          }`,
          port: 4433 + Math.floor(i / subnetCount / 250),
        },
        ...(key && { id: groundId(key, random) }),
      });
      members.push(member);
      records.push(member.record);
    }
    return new Ring(members, records);
  }

  /** How many identities there are. */
  get size(): number {
    return this.#records.length;
  }

  /** Every member makes itself known to nodes: those given, and some others. */
  async mingle(
    city: City,
    near: readonly Citizen[],
    otherCount: number,
  ): Promise<void> {
    const greetings: Promise<unknown>[] = [];
    for (const { peers } of this.members) {
      const others = Array.from({ length: otherCount }, () => city.one());
      for (const { node } of [...near, ...others]) {
        const ping = peers.ask(node.record(), { type: "ping" }, {}, never);
        greetings.push(ping.catch(() => {}));
      }
      await city.clock.advance(20);
    }
    await city.run(Promise.all(greetings));
  }
}

function answer(
  self: NodeRecord,
  from: NodeRecord,
  request: Parameters<Handler>[1],
  ring: readonly NodeRecord[],
): Reply {
  switch (request.type) {
    case "ping": {
      const observed = from.addresses[0] ?? { ip: "12.0.0.1", port: 1 };
      return { response: { type: "pong", record: self.bytes, observed } };
    }
    case "find_node":
      return {
        response: { type: "nodes", records: named(ring, request.target) },
      };
    case "find_value": {
      const nodes = named(ring, nodeId(request.tessera.slice(0, 20)));
      return { response: { type: "providers", providers: [], more: 0, nodes } };
    }
    case "store":
      return {
        response: {
          type: "stored",
          accepted: request.entries.length,
          refused: 0,
        },
      };
    default:
      return { response: { type: "error", code: "refused", text: "No" } };
  }
}

/** The members nearest to a target, the one who answers included. */
function named(ring: readonly NodeRecord[], target: NodeId): Uint8Array[] {
  const nearest: NodeRecord[] = [];
  for (const record of ring) {
    const last = nearest[NAMED_MAX - 1];
    if (last && closer(target, record.id, last.id) > 0) continue;
    let at = nearest.length;
    while (at > 0 && closer(target, nearest[at - 1]!.id, record.id) > 0) at--;
    nearest.splice(at, 0, record);
    if (nearest.length > NAMED_MAX) nearest.pop();
  }
  return nearest.map(({ bytes }) => bytes);
}
