/** The XOR metric on node ids (Kademlia 2.1). Ids are big-endian numbers of 160 bits; keys of tesseras are points in the same space. */
import { assert, type NodeId, nodeId, type Random } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";

/** Buckets of a table: one for every bit in which another id can differ first (Kademlia 2.2). */
export const BUCKET_COUNT = NODE_ID_BYTES * 8;

/**
 * XOR distance of two ids: 20 fresh bytes, a big-endian number.
 *
 * @example
 * ```ts
 * import { nodeId } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * const id = nodeId(new Uint8Array(20).fill(7));
 * assertEquals(distance(id, id), new Uint8Array(20));
 * ```
 */
export function distance(a: NodeId, b: NodeId): Uint8Array {
  const result = new Uint8Array(NODE_ID_BYTES);
  for (let i = 0; i < NODE_ID_BYTES; i++) result[i] = a[i]! ^ b[i]!;
  return result;
}

/**
 * Orders two ids by their distance to a target, without allocating: negative when `a` is nearer,
 * positive when `b` is, and 0 only for equal ids, since XOR gives every id a distance of its own.
 */
export function closer(target: NodeId, a: NodeId, b: NodeId): number {
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    const difference = (target[i]! ^ a[i]!) - (target[i]! ^ b[i]!);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The highest bit in which two ids differ, 0 (nearest) to 159 (the other half of all ids); -1 for equal ids. */
export function bucketIndex(self: NodeId, other: NodeId): number {
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    const difference = self[i]! ^ other[i]!;
    if (difference !== 0) {
      return (NODE_ID_BYTES - i) * 8 - 1 - (Math.clz32(difference) - 24);
    }
  }
  return -1;
}

/**
 * A fresh random id whose {@link bucketIndex} seen from `self` is `index`: the target of a bucket's refresh (Kademlia 2.3).
 *
 * Above its bucket's bit it is as `self`, so below the zeros of work it has those zeros, too: a node could have it. One with
 * other bits there would lead to the same nodes as one with zeros, since among ids that agree in them they decide no distance.
 */
export function randomIdInBucket(
  self: NodeId,
  index: number,
  random: Random,
): NodeId {
  assert(
    Number.isInteger(index) && index >= 0 && index < BUCKET_COUNT,
    `bucket ${index} is one of ${BUCKET_COUNT}`,
  );
  const id = random.bytes(NODE_ID_BYTES);
  const at = NODE_ID_BYTES - 1 - (index >> 3);
  const bit = 1 << (index & 7);
  id.set(self.subarray(0, at));
  // Above the bit as in self, the bit itself flipped, below it whatever was drawn.
  id[at] = (self[at]! & ~(2 * bit - 1)) | (~self[at]! & bit) |
    (id[at]! & (bit - 1));
  return nodeId(id);
}
