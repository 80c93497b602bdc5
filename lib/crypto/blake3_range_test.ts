import { concat, type Hash, toHex } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import vectors from "@tesseras/vectors/blake3_ranges.json" with {
  type: "json",
};
import { blake3 } from "./blake3.ts";
import type { ByteRange, ContentShape } from "./blake3_groups.ts";
import {
  HashTree,
  HashTreeBuilder,
  proofBytes,
  VerifiedRange,
  wholeGroups,
} from "./blake3_range.ts";
import { cut, noise, ranges, treeOf } from "./blake3_range_for_tests.ts";
import { RangeStream } from "./blake3_range_stream.ts";

import { slowValue } from "./blake3_slow_for_tests.ts";

Deno.test("gives the hash of the content, however it is divided and cut", () => {
  fc.assert(
    fc.property(
      ranges,
      fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 10 }),
      ({ shape }, cuts) => {
        const content = noise.subarray(0, shape.totalBytes);
        const builder = new HashTreeBuilder(shape);
        let at = 0;
        for (const cut of cuts) {
          builder.update(content.subarray(at, at + cut));
          at = Math.min(content.length, at + cut);
        }
        const tree = builder.update(content.subarray(at)).finish();
        assertEquals(toHex(tree.hash), toHex(blake3(content)));
        assertEquals(new HashTree(shape, tree.values).hash, tree.hash);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("proves any range against the hash alone, in proofs of the announced length", () => {
  fc.assert(
    fc.property(ranges, ({ shape, range }) => {
      const { tree, content } = treeOf(shape);
      const proof = tree.prove(range);
      assertEquals(proof.length, proofBytes(shape, range));
      const verified = new VerifiedRange({
        hash: blake3(content),
        shape,
        range,
        proof,
      });
      const { offset, bytes } = verified.range;
      assertEquals(verified.range, wholeGroups(shape, range));
      assertTrue(offset <= range.offset);
      assertTrue(offset + bytes >= range.offset + range.bytes);
      verified.check(offset, content.subarray(offset, offset + bytes));
      for (const group of groupsIn(verified.range, shape.groupBytes)) {
        verified.check(group.offset, cut(content, group));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("agrees with committed proofs, and those with the paper word by word", () => {
  assertEquals(vectors.cases.length, 13);
  for (
    const { hash, proof, groupBytes, totalBytes, ...range } of vectors.cases
  ) {
    const content = Uint8Array.from({ length: totalBytes }, (_, i) => i % 251);
    const shape = { totalBytes, groupBytes };
    const tree = new HashTreeBuilder(shape).update(content).finish();
    assertEquals(toHex(tree.hash), hash);
    assertEquals(toHex(tree.prove(range)), proof.join(""));
    assertEquals(toHex(slowValue(content, 0, true)), hash);
    if (totalBytes <= groupBytes) continue;
    for (let offset = 0; offset < totalBytes; offset += groupBytes) {
      const at = offset / groupBytes * 32;
      const group = content.subarray(offset, offset + groupBytes);
      assertEquals(
        tree.values.slice(at, at + 32),
        slowValue(group, offset / KIB, false),
      );
    }
  }
});

Deno.test("needs one value for each doubling of the content", () => {
  const groupBytes = 16 * KIB;
  for (const [groups, values] of [[1, 0], [2, 2], [64, 7], [65, 8]] as const) {
    const shape = { totalBytes: groups * groupBytes, groupBytes };
    assertEquals(proofBytes(shape, { offset: 0, bytes: 1 }), 32 * values);
  }
  // Counted, not walked: numbers nobody could hold.
  const vast = { totalBytes: Number.MAX_SAFE_INTEGER };
  assertEquals(proofBytes(vast, { offset: 2 ** 52, bytes: 1 }) / 32, 40);
  assertEquals(proofBytes(vast, { offset: 0, bytes: 2 ** 53 - 1 }), 2 ** 44);
});

Deno.test("refuses a proof with any byte changed, and content with any byte changed", () => {
  fc.assert(
    fc.property(
      ranges,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      ({ shape, range }, place, change) => {
        const { tree, content } = treeOf(shape);
        const proof = tree.prove(range);
        const claim = { hash: tree.hash, shape, range, proof };
        if (proof.length > 0) {
          const changed = proof.slice();
          changed[place % proof.length]! ^= change;
          assertThrowsCode(
            () => new VerifiedRange({ ...claim, proof: changed }),
            "forged",
          );
        }
        const verified = new VerifiedRange(claim);
        const bytes = cut(content, verified.range);
        bytes[place % bytes.length]! ^= change;
        assertThrowsCode(
          () => verified.check(verified.range.offset, bytes),
          "corrupt",
        );
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("refuses every single flipped bit of one proof and one group", () => {
  const shape = { totalBytes: 9 * KIB + 5, groupBytes: KIB };
  const { tree, content } = treeOf(shape);
  const range = { offset: 4 * KIB, bytes: 1 };
  const proof = tree.prove(range);
  const claim = { hash: tree.hash, shape, range, proof };
  for (let bit = 0; bit < 8 * proof.length; bit++) {
    const changed = flipped(proof, bit);
    assertThrowsCode(
      () => new VerifiedRange({ ...claim, proof: changed }),
      "forged",
    );
  }
  const verified = new VerifiedRange(claim);
  const group = cut(content, verified.range);
  for (let bit = 0; bit < 8 * group.length; bit++) {
    const changed = flipped(group, bit);
    assertThrowsCode(() => verified.check(4 * KIB, changed), "corrupt");
  }
  for (let bit = 0; bit < 256; bit++) {
    const hash = flipped(tree.hash, bit) as Hash;
    assertThrowsCode(() => new VerifiedRange({ ...claim, hash }), "forged");
  }
});

Deno.test("refuses a length that is not the content's wherever the range reaches its end", () => {
  fc.assert(
    fc.property(
      ranges,
      fc.integer({ min: 1, max: noise.length }),
      ({ shape }, lie) => {
        fc.pre(lie !== shape.totalBytes);
        const { tree } = treeOf(shape);
        const told = { ...shape, totalBytes: lie };
        const range = { offset: lie - 1, bytes: 1 };
        // The liar chooses proof and content: the true values where they fit, and bytes of that length.
        const liar = treeOf(told);
        for (const proof of [liar.tree.prove(range), proofFor(told, tree)]) {
          assertRefused(() => {
            const verified = new VerifiedRange({
              hash: tree.hash,
              shape: told,
              range,
              proof,
            });
            verified.check(
              verified.range.offset,
              cut(liar.content, verified.range),
            );
          });
        }

        /** As many true values as the lie wants. */
        function proofFor(told: ContentShape, tree: HashTree): Uint8Array {
          const proof = new Uint8Array(proofBytes(told, range));
          proof.set(tree.values.subarray(0, proof.length));
          return proof;
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("refuses bytes of another place, order or length", () => {
  const shape = { totalBytes: 10 * KIB, groupBytes: KIB };
  // Groups that repeat have the same bytes and still not the same values.
  const content = concat(Array(10).fill(noise.subarray(0, KIB)));
  const tree = new HashTreeBuilder(shape).update(content).finish();
  const range = { offset: 2 * KIB, bytes: 3 * KIB };
  const proof = tree.prove(range);
  const claim = { hash: tree.hash, shape, range, proof };
  const verified = new VerifiedRange(claim);
  verified.check(2 * KIB, content.subarray(0, KIB));
  const moved = { ...range, offset: 6 * KIB };
  assertRefused(() => new VerifiedRange({ ...claim, range: moved }));
  const swapped = concat([proof.subarray(32, 64), proof.subarray(0, 32)]);
  assertThrowsCode(
    () =>
      new VerifiedRange({
        ...claim,
        proof: concat([swapped, proof.subarray(64)]),
      }),
    "forged",
  );
  for (const length of [0, 32, proof.length - 32, proof.length + 32]) {
    const other = new Uint8Array(length);
    assertThrowsCode(
      () => new VerifiedRange({ ...claim, proof: other }),
      "malformed",
    );
  }
  const places = [
    [0, KIB],
    [5 * KIB, KIB],
    [2 * KIB, 4 * KIB],
    [2 * KIB, KIB - 1],
    [2 * KIB + 1, KIB],
    [2 * KIB, 0],
    [NaN, KIB],
    [-KIB, KIB],
  ] as const;
  for (const [offset, length] of places) {
    assertThrowsCode(
      () => verified.check(offset, content.subarray(0, length)),
      "malformed",
    );
  }
});

Deno.test("refuses shapes and ranges that cannot be", () => {
  const range = { offset: 0, bytes: 1 };
  const shapes: readonly ContentShape[] = [
    { totalBytes: -1 },
    { totalBytes: 1.5 },
    { totalBytes: NaN },
    { totalBytes: 2 ** 53 },
    { totalBytes: 9, groupBytes: 0 },
    { totalBytes: 9, groupBytes: 512 },
    { totalBytes: 9, groupBytes: 3 * KIB },
    { totalBytes: 9, groupBytes: 128 * KIB },
    { totalBytes: 9, groupBytes: NaN },
  ];
  for (const shape of shapes) {
    assertThrowsCode(() => proofBytes(shape, range), "malformed");
    assertThrowsCode(() => new HashTreeBuilder(shape), "malformed");
  }
  const ranges: readonly ByteRange[] = [
    { offset: 0, bytes: 0 },
    { offset: 0, bytes: 101 },
    { offset: 100, bytes: 1 },
    { offset: -1, bytes: 1 },
    { offset: 0.5, bytes: 1 },
    { offset: NaN, bytes: 1 },
    { offset: 2 ** 53, bytes: 1 },
    { offset: 1, bytes: -1 },
  ];
  for (const range of ranges) {
    assertThrowsCode(() => proofBytes({ totalBytes: 100 }, range), "malformed");
  }
  assertThrowsCode(
    () => new HashTree({ totalBytes: 100_000 }, new Uint8Array(32)),
    "malformed",
  );
  const builder = new HashTreeBuilder({ totalBytes: 3 });
  assertThrowsCode(() => builder.finish(), "malformed");
  assertThrowsCode(() => builder.update(new Uint8Array(4)), "malformed");
});

Deno.test("proves empty content to be empty", () => {
  const shape = { totalBytes: 0 };
  const range = { offset: 0, bytes: 0 };
  const tree = new HashTreeBuilder(shape).finish();
  assertEquals(tree.hash, blake3(new Uint8Array()));
  const proof = tree.prove(range);
  assertEquals(proof.length, 0);
  const empty = new VerifiedRange({ hash: tree.hash, shape, range, proof });
  empty.check(0, new Uint8Array());
  new RangeStream(empty).finish();
  const hash = blake3(noise);
  const wrong = new VerifiedRange({ hash, shape, range, proof });
  assertThrowsCode(() => wrong.check(0, new Uint8Array()), "corrupt");
  assertThrowsCode(() => new RangeStream(wrong).finish(), "corrupt");
});

function* groupsIn(range: ByteRange, groupBytes: number): Generator<ByteRange> {
  const end = range.offset + range.bytes;
  for (let offset = range.offset; offset < end; offset += groupBytes) {
    yield { offset, bytes: Math.min(groupBytes, end - offset) };
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice();
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

/** Any of the answers to somebody who lies. */
function assertRefused(call: () => void): void {
  let code = "accepted";
  try {
    call();
  } catch (error) {
    code = (error as { code?: string }).code ?? String(error);
  }
  assertTrue(["malformed", "forged", "corrupt"].includes(code), code);
}
