/** Ids as work makes them, for tests and benches: drawn instead of sought. */
import { type NodeId, nodeId, type Random } from "@tesseras/core";
import { placeOf, type Prefix } from "./region.ts";

/** Leading zero bits of every id here. */
export const POW_BITS = 12;

/** A random id with its zeros, ground to begin like a prefix. */
export function minted(random: Random, prefix?: Prefix): NodeId {
  const id = random.bytes(20);
  for (let bit = POW_BITS; bit < (prefix?.length ?? 0); bit++) {
    const mask = 0x80 >> (bit & 7);
    id[bit >> 3] = (id[bit >> 3]! & ~mask) | (prefix!.bits[bit >> 3]! & mask);
  }
  return placeOf(nodeId(id), POW_BITS);
}

/** A random id that begins like a key for so many bits behind its zeros. */
export function mintedNear(random: Random, key: NodeId, bits: number): NodeId {
  return minted(random, {
    bits: placeOf(key, POW_BITS),
    length: POW_BITS + bits,
  });
}
