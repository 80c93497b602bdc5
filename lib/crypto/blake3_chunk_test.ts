import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { SeededRandom } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import fc from "fast-check";
import { blake3 } from "./blake3.ts";
import { proveChunk } from "./blake3_chunk.ts";
import { HashTreeBuilder, VerifiedRange, wholeGroups } from "./blake3_range.ts";

/** Content of so many bytes, the tree of its groups, and what is around a chunk. */
function contentOf(totalBytes: number, groupBytes: number) {
  const content = new SeededRandom(totalBytes).bytes(totalBytes);
  const shape = { totalBytes, groupBytes };
  const tree = new HashTreeBuilder(shape).update(content).finish();
  const groupOf = (chunk: number): Uint8Array => {
    const range = { offset: chunk * KIB, bytes: 1 };
    const { offset, bytes } = wholeGroups(shape, range);
    return content.subarray(offset, offset + bytes);
  };
  return { content, shape, tree, groupOf };
}

Deno.test("the proof of a chunk is that of the tree of chunks, for content and groups of any size", () => {
  const sizes = fc.integer({ min: 1, max: 150 * KIB });
  const groups = fc.constantFrom(1, 2, 4, 16, 64);
  fc.assert(
    fc.property(sizes, groups, fc.nat(), (bytes, kib, pick) => {
      const { content, shape, tree, groupOf } = contentOf(bytes, kib * KIB);
      const chunk = pick % Math.ceil(bytes / KIB);
      const proof = proveChunk(tree, shape, { chunk, octets: groupOf(chunk) });
      const fine = { totalBytes: bytes, groupBytes: KIB };
      const offset = chunk * KIB;
      const range = { offset, bytes: Math.min(KIB, bytes - offset) };
      const chunks = new HashTreeBuilder(fine).update(content).finish();
      assertEquals(proof, chunks.prove(range));
      const claim = { hash: blake3(content), shape: fine, range, proof };
      new VerifiedRange(claim)
        .check(offset, content.subarray(offset, offset + range.bytes));
    }),
    { numRuns: 60 },
  );
});

Deno.test("one bit of the group that is another leads to another hash", () => {
  const { shape, tree, groupOf } = contentOf(70 * KIB + 5, 16 * KIB);
  for (const chunk of [0, 17, 69, 70]) {
    const octets = groupOf(chunk).slice();
    // Of another chunk where the group has one: what is asked for may be whole.
    octets[(chunk * KIB + KIB) % octets.length]! ^= 1;
    const proof = proveChunk(tree, shape, { chunk, octets });
    const claim = {
      hash: tree.hash,
      shape: { ...shape, groupBytes: KIB },
      range: { offset: chunk * KIB, bytes: 1 },
      proof,
    };
    assertThrowsCode(() => new VerifiedRange(claim), "forged");
  }
});

Deno.test("a chunk the content has not and a group of another length are refused", () => {
  const { shape, tree, groupOf } = contentOf(40 * KIB, 16 * KIB);
  const refused = (chunk: number, octets: Uint8Array) =>
    assertThrowsCode(
      () => proveChunk(tree, shape, { chunk, octets }),
      "malformed",
    );
  refused(40, groupOf(39));
  refused(-1, groupOf(0));
  refused(0.5, groupOf(0));
  refused(3, groupOf(3).subarray(1));
  refused(39, groupOf(0));
});
