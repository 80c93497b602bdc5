/** What makes a node: who it is, what it offers, and what carries its messages. */
import type { Address } from "@tesseras/core";
import type { NodeSigner } from "@tesseras/crypto";
import {
  type Admission,
  type OpenPeerNet,
  Peers,
  type Transport,
} from "@tesseras/net";
import type { RecordCache } from "@tesseras/wire";
import type { Surroundings } from "./outlook.ts";

/** What makes a node, and what carries its messages. */
export type NodeOptions = NodeTraits & (OverTransport | OverMessages);

/** Messages travel over connections. */
export type OverTransport = {
  /** Owned by the node from here on. */
  readonly transport: Transport;
  /** Who may connect and how often they may ask; the transport's own `admit` should be this one's. */
  readonly admission: Admission;
};

/** Messages travel by whatever this opens, as in a simulation that has no time for connections. */
export type OverMessages = { readonly openPeerNet: OpenPeerNet };

/** What makes a node. */
export type NodeTraits = {
  readonly identity: NodeSigner;
  /** Where others reach us, best first; empty while nobody can. */
  readonly addresses: readonly Address[];
  /** Leading zero bits every identity must show. */
  readonly powBits: number;
  /** Peers of one subnet per bucket and table; `undefined` switches the rule off, as a cluster on one machine must. */
  readonly subnetPeersMax?: { readonly bucket: number; readonly table: number };
  /** Questions at once per lookup; Kademlia's alpha by default. */
  readonly lookupParallel?: number;
  /** Paths of one lookup that share nobody; fewer than the default only to measure what they are for. */
  readonly lookupPathsMax?: number;
  /** Peers per bucket and failures in a row that remove one; Kademlia's figures by default. */
  readonly bucketPeersMax?: number;
  readonly failuresMax?: number;
  /** Whether a crowded key's records go to its whole region, and are asked for there: yes by default, no only to measure what that is for. */
  readonly regionAware?: boolean;
  /** Where it stands; a node that is not told neither looks for its outer address nor meets whom it cannot dial. */
  readonly surroundings?: Surroundings;
  /** Checks the records of others; one of its own by default. */
  readonly records?: RecordReader;
};

/** Reads and checks records of others: a {@link RecordCache}, or one that many nodes share. */
export type RecordReader = Pick<RecordCache, "node" | "provider">;

/** What carries the messages of a node with these options. */
export function peerNetOf(options: NodeOptions): OpenPeerNet {
  if ("openPeerNet" in options) return options.openPeerNet;
  const { transport, admission } = options;
  return (parts, runtime, signal) =>
    Peers.start({ ...parts, transport, admission }, runtime, signal);
}
