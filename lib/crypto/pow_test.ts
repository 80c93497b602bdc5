import { concat, SeededRandom, u64be } from "@tesseras/core";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { blake3 } from "./blake3.ts";
import { findNonce, leadingZeroBits } from "./pow.ts";

const random = new SeededRandom(11);
const key = random.bytes(32);

Deno.test("counts zero bits from the most significant one", () => {
  assertEquals(leadingZeroBits(Uint8Array.of(0x80)), 0);
  assertEquals(leadingZeroBits(Uint8Array.of(0x01, 0xff)), 7);
  assertEquals(leadingZeroBits(Uint8Array.of(0, 0, 0x10)), 19);
  assertEquals(leadingZeroBits(new Uint8Array(20)), 160);
  assertEquals(leadingZeroBits(new Uint8Array()), 0);
});

Deno.test("finds the first nonce, the one that trying each in turn finds", () => {
  for (let bits = 0; bits <= 11; bits++) {
    const publicKey = random.bytes(32);
    const from = BigInt(random.below(2 ** 32)) * 3n;
    let first = from;
    while (bitsOf(publicKey, first) < bits) first++;
    const range = { from, attempts: 1_000_000 };
    assertEquals(findNonce(publicKey, bits, range), first);
  }
});

Deno.test("looks at its range and nowhere else", () => {
  const found = findNonce(key, 10, { from: 0n, attempts: 1_000_000 });
  assertTrue(found !== undefined && found > 8n);
  const attempts = Number(found);
  assertEquals(findNonce(key, 10, { from: 0n, attempts }), undefined);
  assertEquals(
    findNonce(key, 10, { from: 0n, attempts: attempts + 1 }),
    found,
  );
  assertEquals(findNonce(key, 10, { from: found, attempts: 1 }), found);
  assertEquals(findNonce(key, 10, { from: found, attempts: 0 }), undefined);
});

Deno.test("goes on where the low half of the nonce wraps", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 31n }),
      fc.integer({ min: 0, max: 40 }),
      (high, before) => {
        const from = ((high + 1n) << 32n) - BigInt(before);
        let first: bigint | undefined = from;
        while (first < from + 80n && bitsOf(key, first) < 5) first++;
        if (first === from + 80n) first = undefined;
        assertEquals(findNonce(key, 5, { from, attempts: 80 }), first);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("reaches the last nonce there is", () => {
  const last = 2n ** 64n - 1n;
  assertEquals(findNonce(key, 0, { from: last, attempts: 1 }), last);
  assertThrowsCode(
    () => findNonce(key, 0, { from: last, attempts: 2 }),
    "unusable",
    /wanted a range within 64 bits$/,
  );
});

Deno.test("does not take the first word for the whole id", () => {
  // More bits than the kernel looks at, in a range where its 32 are not reached.
  assertEquals(findNonce(key, 160, { from: 0n, attempts: 50_000 }), undefined);
});

Deno.test("refuses keys, bits and ranges that are none", () => {
  const range = { from: 0n, attempts: 1 };
  const short = new Uint8Array(31);
  assertThrowsCode(() => findNonce(short, 8, range), "unusable", /31 bytes/);
  for (const bits of [-1, 161, 1.5, NaN]) {
    assertThrowsCode(() => findNonce(key, bits, range), "unusable");
  }
  for (const attempts of [-1, 0.5, NaN, Infinity]) {
    assertThrowsCode(
      () => findNonce(key, 8, { from: 0n, attempts }),
      "unusable",
    );
  }
  assertThrowsCode(
    () => findNonce(key, 8, { from: -1n, attempts: 1 }),
    "unusable",
  );
});

function bitsOf(publicKey: Uint8Array, nonce: bigint): number {
  return leadingZeroBits(
    blake3(concat([publicKey, u64be(nonce)])).subarray(0, 20),
  );
}
