/** Content with proofs to be had, and arbitrary ranges of it. */
import { SeededRandom } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import fc from "fast-check";
import type { ByteRange, ContentShape } from "./blake3_groups.ts";
import { HashTreeBuilder } from "./blake3_range.ts";

/** What all content begins with. */
export const noise = new SeededRandom(8).bytes(300 * KIB);
const SIZES = [1, 2, 4, 16, 64].map((kib) => kib * KIB);

/** Content, its division, and a range of it. */
export const ranges = fc.record({
  groupBytes: fc.constantFrom(...SIZES),
  totalBytes: fc.oneof(
    fc.integer({ min: 1, max: noise.length }),
    // Around whole chunks and groups.
    fc.tuple(fc.integer({ min: 1, max: 250 }), fc.integer({ min: -1, max: 1 }))
      .map(([kib, by]) => kib * KIB + by),
  ),
  from: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  length: fc.double({ min: 0, max: 1, noNaN: true }),
}).map(({ groupBytes, totalBytes, from, length }) => {
  const offset = Math.floor(from * totalBytes);
  const bytes = 1 + Math.floor(length * (totalBytes - offset - 1));
  return { shape: { totalBytes, groupBytes }, range: { offset, bytes } };
});

/** The beginning of the noise, and its tree. */
export function treeOf(shape: ContentShape) {
  const content = noise.subarray(0, shape.totalBytes);
  const tree = new HashTreeBuilder(shape).update(content).finish();
  return { tree, content };
}

/** A copy of a range. */
export function cut(
  content: Uint8Array,
  { offset, bytes }: ByteRange,
): Uint8Array {
  return content.slice(offset, offset + bytes);
}
