import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { SeededRandom, toHex, utf8 } from "@tesseras/core";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import fc from "fast-check";
import vectors from "@tesseras/vectors/blake3.json" with { type: "json" };
import {
  Blake3,
  blake3,
  blake3Keyed,
  DERIVED_BYTES_MAX,
  deriveKey,
} from "./blake3.ts";

/** Where chunks, batches, windows and the levels of the tree end. */
const EDGES = [
  0,
  64,
  1024,
  2048,
  3072,
  4096,
  5120,
  16 * 1024,
  17 * 1024,
  32 * 1024,
  48 * 1024,
  64 * 1024,
  80 * 1024,
  128 * 1024,
  192 * 1024,
];
const EDGE_LENGTHS = EDGES.flatMap((edge) =>
  [edge - 1, edge, edge + 1].filter((length) => length >= 0)
);

const random = new SeededRandom(3);
const noise = random.bytes(256 * 1024);

Deno.test("agrees with the official vectors in all three modes", () => {
  assertEquals(vectors.cases.length, 22);
  for (const { inputBytes, hash, keyedHash, deriveKey: key } of vectors.cases) {
    const input = Uint8Array.from({ length: inputBytes }, (_, i) => i % 251);
    assertEquals(toHex(blake3(input)), hash.slice(0, 64));
    assertEquals(
      toHex(blake3Keyed(utf8(vectors.key), input)),
      keyedHash.slice(0, 64),
    );
    const derived = deriveKey(vectors.contextString, input, key.length / 2);
    assertEquals(toHex(derived), key);
  }
});

Deno.test("agrees with another implementation around every edge of the tree", () => {
  for (const length of EDGE_LENGTHS) {
    const input = noise.subarray(0, length);
    assertEquals(toHex(blake3(input)), toHex(nobleBlake3(input)), `${length}`);
  }
});

Deno.test("gives one hash however the bytes are cut", () => {
  const cuts = fc.array(
    fc.oneof(
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 0, max: 40_000 }),
      fc.constantFrom(...EDGE_LENGTHS),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(cuts, (sizes) => {
      const streamed = new Blake3();
      let length = 0;
      for (const size of sizes) {
        const end = Math.min(noise.length, length + size);
        streamed.update(noise.subarray(length, end));
        length = end;
      }
      assertEquals(streamed.digest(), blake3(noise.subarray(0, length)));
    }),
    { numRuns: 300 },
  );
});

Deno.test("agrees with another implementation on inputs and keys of any kind", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 6000 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.string(),
      fc.integer({ min: 1, max: 300 }),
      (input, key, context, byteCount) => {
        assertEquals(toHex(blake3(input)), toHex(nobleBlake3(input)));
        assertEquals(
          toHex(blake3Keyed(key, input)),
          toHex(nobleBlake3(input, { key })),
        );
        assertEquals(
          toHex(deriveKey(context, input, byteCount)),
          toHex(nobleBlake3(input, {
            context: utf8(context),
            dkLen: byteCount,
          })),
        );
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("gives a digest between updates without disturbing what follows", () => {
  const streamed = new Blake3();
  assertEquals(streamed.digest(), blake3(new Uint8Array()));
  for (const length of EDGE_LENGTHS.toSorted((a, b) => a - b)) {
    const before = EDGE_LENGTHS.filter((other) => other < length);
    streamed.update(noise.subarray(Math.max(0, ...before), length));
    assertEquals(streamed.digest(), blake3(noise.subarray(0, length)));
  }
});

Deno.test("keeps streams apart that advance in turns", () => {
  const streams = [new Blake3(), new Blake3(), new Blake3()];
  const step = 7_000;
  for (let at = 0; at < 140_000; at += step) {
    streams.forEach((stream, i) =>
      stream.update(noise.subarray(at + i, at + i + step))
    );
    blake3Keyed(noise.subarray(at, at + 32), noise.subarray(0, at % 4000));
  }
  streams.forEach((stream, i) =>
    assertEquals(stream.digest(), blake3(noise.subarray(i, i + 140_000)))
  );
});

Deno.test("hands out digests that later hashing does not change", () => {
  const first = blake3(utf8("one"));
  const kept = first.slice();
  blake3(utf8("two"));
  new Blake3().update(noise).digest();
  assertEquals(first, kept);
});

Deno.test("refuses keys and lengths that are none", () => {
  for (const length of [0, 31, 33]) {
    assertThrowsCode(
      () => blake3Keyed(new Uint8Array(length), noise),
      "unusable",
      new RegExp(`it has ${length} bytes, wanted 32$`),
    );
  }
  for (const byteCount of [0, -1, 1.5, NaN, DERIVED_BYTES_MAX + 1]) {
    assertThrowsCode(
      () => deriveKey("context", noise, byteCount),
      "unusable",
      /wanted 1 to 65536$/,
    );
  }
});
