/**
 * The region of a key: the part of the space in which about k honest nodes lie. Where somebody has ground identities to sit
 * next to a key, its 20 nearest are all theirs, and whoever stores there, or asks there, is denied; but the nodes of the region
 * are still there, and a systematic look finds them (Sridhar et al., "Content Censorship in the InterPlanetary File
 * System", NDSS 2024, 6).
 */
import { assert, equal, keyOf, type NodeId, nodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  NODE_ID_BYTES,
  REGION_PEERS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { shareWithin } from "./estimate.ts";

/** All ids that begin with the same bits. */
export type Prefix = {
  /** The bits; zero behind them. */
  readonly bits: NodeId;
  readonly length: number;
};

/** What is known of the network that a region is part of. */
export type Surroundings = {
  /** About how many nodes there are that keep records. */
  readonly size: number;
  /** Leading zero bits of every id. */
  readonly powBits: number;
};

/**
 * The smallest prefix around a key in which at least k nodes are expected, so 20 to 40; never more than all.
 *
 * It begins with the zeros that work gives every id, whatever the key begins with.
 */
export function regionOf(
  key: NodeId,
  { size, powBits }: Surroundings,
): Prefix {
  const bits = Math.floor(Math.log2(Math.max(1, size / BUCKET_PEERS_MAX)));
  const length = Math.min(powBits + bits, 8 * NODE_ID_BYTES);
  return prefixOf(placeOf(key, powBits), length);
}

/** Where a key lies among nodes: the bits in which nodes cannot differ are theirs. */
export function placeOf(key: NodeId, powBits: number): NodeId {
  const place = key.slice();
  for (let bit = 0; bit < powBits; bit++) place[bit >> 3]! &= ~bitAt(bit);
  return nodeId(place);
}

/** The prefix of an id. */
export function prefixOf(id: NodeId, length: number): Prefix {
  const bits = id.slice();
  for (let bit = length; bit < 8 * NODE_ID_BYTES; bit++) {
    bits[bit >> 3]! &= ~bitAt(bit);
  }
  return { bits: nodeId(bits), length };
}

/** Whether an id begins so. */
export function isWithin(prefix: Prefix, id: NodeId): boolean {
  return commonBits(prefix.bits, id) >= prefix.length;
}

/** How many bits two ids begin with alike. */
export function commonBits(a: NodeId, b: NodeId): number {
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    const difference = a[i]! ^ b[i]!;
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24;
  }
  return 8 * NODE_ID_BYTES;
}

/** The other half of what a prefix is a half of. */
export function siblingOf({ bits, length }: Prefix): Prefix {
  assert(length > 0, "the whole space is no half");
  const other = bits.slice();
  other[(length - 1) >> 3]! ^= bitAt(length - 1);
  return { bits: nodeId(other), length };
}

/** Nodes expected within a prefix. */
export function expectedWithin(
  { length }: Prefix,
  { size, powBits }: Surroundings,
): number {
  return size * 2 ** (powBits - length);
}

/**
 * Nodes to expect where the 20 nearest were found, below which a neighbourhood is crowded beyond chance.
 *
 * The statistic is `x = size * share`, the number of nodes that chance would put where the k = 20 nearest
 * lie. Honest, `x` is Gamma-distributed with shape 20: below 8 in 0.025 % of all neighbourhoods with the size known exactly, and
 * in 0.35 % with a size 20 % too small. An attacker who stays above it leaves 8 honest nodes or more among the nearest in
 * expectation, and none at all once in `e^8`, 3,000 times: so what is not noticed does not deny. Sridhar et al. compare whole
 * distributions (by their Kullback-Leibler divergence); for telling denial from chance the place of the last suffices, and both
 * its errors can be written down.
 */
export const CROWDED_BELOW = 8;

/** Whether more nodes sit next to a key than chance allows. `nearest` are those that answered, nearest first. */
export function isCrowded(
  key: NodeId,
  nearest: readonly NodeId[],
  { size, powBits }: Surroundings,
): boolean {
  const last = nearest[BUCKET_PEERS_MAX - 1];
  // Fewer is everybody there is.
  if (last === undefined) return false;
  return size * shareWithin(key, last, powBits) < CROWDED_BELOW;
}

/**
 * Who is to keep a record, of the nodes found in the region of its key: the 20 nearest; and where these are crowded beyond chance
 * everybody, or `peersMax` of them chosen evenly over the region. The nearest come first, then those from all over the region in
 * turn: so who runs out of time has asked some everywhere.
 *
 * Whoever stores and whoever asks choose alike.
 */
export function keepersOf<C extends Contact>(
  key: NodeId,
  found: readonly C[],
  options: Surroundings & { readonly peersMax?: number },
): readonly C[] {
  const sorted = found.toSorted((a, b) => closer(key, a.id, b.id));
  const nearest = sorted.slice(0, BUCKET_PEERS_MAX);
  if (!isCrowded(key, nearest.map(({ id }) => id), options)) return nearest;
  const { peersMax = REGION_PEERS_MAX } = options;
  const rest = sorted.slice(BUCKET_PEERS_MAX);
  const room = Math.max(0, peersMax - nearest.length);
  return [...nearest, ...spread(rest, options).slice(0, room)];
}

/**
 * Nodes in an order that takes one from each part of the region in turn, and in each part one from each subnet in turn. Parts
 * are as large as one honest node needs, so a crowd in a few of them pushes nobody out of the others.
 */
function spread<C extends Contact>(
  peers: readonly C[],
  { size, powBits }: Surroundings,
): C[] {
  const length = powBits + Math.ceil(Math.log2(Math.max(1, size)));
  const parts = new Map<string, C[]>();
  for (const peer of peers) {
    const part = keyOf(prefixOf(peer.id, length).bits);
    const there = parts.get(part);
    if (there === undefined) parts.set(part, [peer]);
    else there.push(peer);
  }
  return turns([...parts.values()].map(turnsBySubnet));
}

/** Those of one part: the first of every subnet, then the second of every, and so on. Who has no subnet is one of its own. */
function turnsBySubnet<C extends Contact>(peers: readonly C[]): C[] {
  const subnets = new Map<string, C[]>();
  for (const peer of peers) {
    const subnet = peer.subnet ?? keyOf(peer.id);
    const there = subnets.get(subnet);
    if (there === undefined) subnets.set(subnet, [peer]);
    else there.push(peer);
  }
  return turns([...subnets.values()]);
}

/** The first of every list, then the second of every, and so on. */
function turns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = lists.reduce((most, list) => Math.max(most, list.length), 0);
  const mixed: T[] = [];
  for (let at = 0; at < longest; at++) {
    for (const list of lists) if (at < list.length) mixed.push(list[at]!);
  }
  return mixed;
}

/** Whether two prefixes are the same. */
export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && equal(a.bits, b.bits);
}

function bitAt(bit: number): number {
  return 0x80 >> (bit & 7);
}
