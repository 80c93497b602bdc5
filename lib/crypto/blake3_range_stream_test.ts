import { KIB } from "@tesseras/core/limits";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import fc from "fast-check";
import { VerifiedRange } from "./blake3_range.ts";
import { cut, ranges, treeOf } from "./blake3_range_for_tests.ts";
import { RangeStream } from "./blake3_range_stream.ts";

Deno.test("verifies a stream however it is cut, and stops at the group that is wrong", () => {
  fc.assert(
    fc.property(
      ranges,
      fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 10 }),
      fc.nat(),
      ({ shape, range }, cuts, place) => {
        const { tree, content } = treeOf(shape);
        const proof = tree.prove(range);
        const verified = new VerifiedRange({
          hash: tree.hash,
          shape,
          range,
          proof,
        });
        const bytes = cut(content, verified.range);
        assertEquals(streamed(verified, bytes, cuts), bytes.length);
        const wrong = place % bytes.length;
        bytes[wrong]! ^= 0x10;
        const before = wrong - wrong % shape.groupBytes;
        const stream = new RangeStream(verified);
        assertThrowsCode(() => stream.update(bytes), "corrupt");
        assertEquals(stream.verifiedBytes, before);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("refuses a stream that is too short or too long", () => {
  const shape = { totalBytes: 5_000, groupBytes: KIB };
  const { tree, content } = treeOf(shape);
  const range = { offset: 0, bytes: 5_000 };
  const proof = tree.prove(range);
  const verified = new VerifiedRange({ hash: tree.hash, shape, range, proof });
  const short = new RangeStream(verified);
  short.update(content.subarray(0, 4_999));
  assertEquals(short.verifiedBytes, 4 * KIB);
  assertThrowsCode(() => short.finish(), "malformed", /4999 bytes came/);
  const long = new RangeStream(verified);
  long.update(content);
  assertThrowsCode(() => long.update(Uint8Array.of(1)), "malformed");
});

/** Feeds a stream in pieces; returns how much of it was verified. */
function streamed(
  verified: VerifiedRange,
  bytes: Uint8Array,
  cuts: readonly number[],
): number {
  const stream = new RangeStream(verified);
  let at = 0;
  for (const cut of cuts) {
    stream.update(bytes.subarray(at, at + cut));
    at = Math.min(bytes.length, at + cut);
  }
  stream.update(bytes.subarray(at));
  stream.finish();
  return stream.verifiedBytes;
}
