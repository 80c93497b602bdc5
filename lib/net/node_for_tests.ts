/** Nodes for the tests of this folder: real identities and records, on any transport. */
import {
  type Address,
  Counters,
  hash,
  type Random,
  RecordingLog,
  type Runtime,
  SeededRandom,
  TesserasError,
  VirtualClock,
} from "@tesseras/core";
import { NODE_RECORD_TTL_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import { mintNode, type NodeSigner } from "@tesseras/crypto";
import type { NatKind } from "@tesseras/nat";
import {
  type GetFragment,
  type NodeRecord,
  type PutFragment,
  signNodeRecord,
} from "@tesseras/wire";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { bulkOf, collectBulk } from "./bulk.ts";
import type { Self } from "./hello.ts";
import { Peers } from "./peers.ts";
import type { PeersParts } from "./peers_parts.ts";
import type { Handler } from "./serve.ts";
import type { Admit, Transport } from "./transport.ts";

/** Never aborts. */
export const never = new AbortController().signal;

/** The identity of a seed: the same number, the same node. */
export async function identityOf(
  seed: number,
  powBits = POW_BITS_MIN,
): Promise<NodeSigner> {
  const bytes = new SeededRandom(seed).bytes(32);
  return await mintNode(bytes, { powBits, clock: new VirtualClock() }, never);
}

/** A fresh record that says the node answers at these addresses. */
export function recordOf(
  identity: NodeSigner,
  addresses: readonly Address[],
  nowMs: number,
  nat: NatKind = "public",
): NodeRecord {
  return signNodeRecord({
    addresses,
    capabilities: 1,
    nat,
    sequence: nowMs,
    expiresAtMs: nowMs + NODE_RECORD_TTL_MS,
  }, identity);
}

/** A runtime whose counters and log can be looked at. */
export type SeenRuntime = Runtime & {
  readonly counters: Counters;
  readonly log: RecordingLog;
};

/** A runtime of its own on a shared clock. */
export function runtimeOn(
  clock: Runtime["clock"],
  random: Random,
): SeenRuntime {
  return { clock, random, log: new RecordingLog(), counters: new Counters() };
}

/** The octets that every node in these tests gives for any fragment: their pattern shows a lost or doubled one. */
export function patternBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

/** Answers pings, gives and takes fragments, and refuses a put of index 1 without reading it. */
export function handlerOf(record: () => NodeRecord): Handler {
  return async (from, request, bulk, signal) => {
    switch (request.type) {
      case "ping":
        return {
          response: {
            type: "pong",
            record: record().bytes,
            observed: from.addresses[0] ?? { ip: "192.0.2.1", port: 1 },
          },
        };
      case "get_fragment": {
        const source = bulkOf(patternBytes(request.length));
        return {
          response: { type: "fragment", bulk: source.bytes },
          bulk: source,
        };
      }
      case "put_fragment": {
        if (request.index === 1) {
          throw new TesserasError("diskFull", "Cannot keep fragment: no room");
        }
        const bytes = await collectBulk(bulk!, signal);
        return { response: { type: "kept", provider: bytes.slice(0, 8) } };
      }
      case "find_node":
        return { response: { type: "nodes", records: [record().bytes] } };
      default:
        throw new Error(`secret details of ${request.type}`);
    }
  };
}

/** How one node differs from the others. */
export type NodeOptions = {
  /** Whether its record says where it answers; a node behind a NAT has nothing to say. */
  readonly hidden?: boolean;
  readonly limits?: Partial<AdmissionLimits>;
  readonly powBits?: number;
  readonly minedBits?: number;
  readonly handler?: Handler;
  readonly allow?: PeersParts["allow"];
  readonly dialledMax?: number;
  /** What its record says stands before it. */
  readonly nat?: NatKind;
} & Pick<PeersParts, "standing" | "namedBy" | "onRung" | "relays">;

/** What a node for tests is made of. */
type NodeParts = {
  readonly self: Self;
  readonly transport: Transport;
  readonly peers: Peers;
  readonly runtime: SeenRuntime;
  readonly met: readonly string[];
  readonly left: readonly string[];
};

/** One node of a world. */
export class TestNode implements AsyncDisposable {
  readonly self: Self;
  readonly transport: Transport;
  readonly peers: Peers;
  readonly runtime: SeenRuntime;
  /** Whom it has met, by the second byte of their ids, and where they see it. */
  readonly met: readonly string[];
  /** Who said goodbye, by the second byte of their ids. */
  readonly left: readonly string[];

  constructor(parts: NodeParts) {
    this.self = parts.self;
    this.transport = parts.transport;
    this.peers = parts.peers;
    this.runtime = parts.runtime;
    this.met = parts.met;
    this.left = parts.left;
  }

  /** Its record. */
  get record(): NodeRecord {
    return this.self.record();
  }

  /** A counter's value. */
  counted(name: string): number {
    return this.runtime.counters.get(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peers[Symbol.asyncDispose]();
    await this.transport[Symbol.asyncDispose]();
  }
}

/** What it takes to start a node on a transport. */
export type Opening = {
  readonly seed: number;
  readonly runtime: SeenRuntime;
  readonly options: NodeOptions;
  readonly open: (identity: NodeSigner, admit: Admit) => Promise<Transport>;
};

/** Starts one node. */
export async function startNode(opening: Opening): Promise<TestNode> {
  const { seed, runtime, options } = opening;
  const identity = await identityOf(seed, options.minedBits);
  const admission = new Admission(options.limits ?? {}, runtime);
  const transport = await opening.open(identity, admission.admit);
  const addresses = options.hidden ? [] : [transport.local];
  const { nat } = options;
  const signed = recordOf(identity, addresses, runtime.clock.nowMs(), nat);
  const record = () => signed;
  const self = { identity, record, powBits: options.powBits ?? POW_BITS_MIN };
  const met: string[] = [];
  const left: string[] = [];
  const peers = Peers.start(
    {
      transport,
      self,
      admission,
      handler: options.handler ?? handlerOf(record),
      onSession: ({ peer, observed }) => {
        met.push(`${peer.id[1]}:${observed?.ip}`);
      },
      onLeave: (id) => left.push(`${id[1]}`),
      ...(options.allow && { allow: options.allow }),
      ...(options.dialledMax && { dialledMax: options.dialledMax }),
      standing: options.standing,
      ...(options.namedBy && { namedBy: options.namedBy }),
      ...(options.onRung && { onRung: options.onRung }),
      ...(options.relays && { relays: options.relays }),
    },
    runtime,
    never,
  );
  return new TestNode({ self, transport, peers, runtime, met, left });
}

/** A request for so many octets. */
export function fragmentOf(length: number): GetFragment {
  return {
    type: "get_fragment",
    plan: hash(new Uint8Array(32)),
    index: 0,
    offset: 0,
    length,
  };
}

/** A request to keep so many octets. */
export function putOf(bulk: number, index = 0): PutFragment {
  return { type: "put_fragment", plan: new Uint8Array(1), index, bulk };
}
