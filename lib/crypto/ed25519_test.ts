import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { concat, fromHex, toHex } from "@tesseras/core";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import vectors from "@tesseras/vectors/ed25519.json" with { type: "json" };
import { ed25519KeyFromSeed, verifyEd25519 } from "./ed25519.ts";

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const messages = fc.uint8Array({ maxLength: 300 });

Deno.test("signs and verifies the vectors of RFC 8032", () => {
  for (const { name, seed, publicKey, message, signature } of vectors.valid) {
    const key = ed25519KeyFromSeed(fromHex(seed));
    assertEquals(toHex(key.publicKey), publicKey, name);
    assertEquals(toHex(key.sign(fromHex(message))), signature, name);
    assertTrue(
      verifyEd25519(key.publicKey, fromHex(message), fromHex(signature)),
      name,
    );
  }
});

Deno.test("agrees with an independent implementation, byte for byte", () => {
  fc.assert(
    fc.property(seeds, messages, (seed, message) => {
      const key = ed25519KeyFromSeed(seed);
      const signature = key.sign(message);
      assertEquals(key.publicKey, ed25519.getPublicKey(seed));
      assertEquals(signature, ed25519.sign(message, seed));
      assertTrue(verifyEd25519(key.publicKey, message, signature));
    }),
    { numRuns: 30 },
  );
});

Deno.test("refuses a signature with any bit flipped in key, message or signature", () => {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(9));
  const message = new Uint8Array(20).fill(5);
  const whole = concat([key.publicKey, message, key.sign(message)]);
  for (let bit = 0; bit < 8 * whole.length; bit += 3) {
    const bad = whole.slice();
    bad[bit >> 3]! ^= 1 << (bit & 7);
    assertEquals(
      verifyEd25519(bad.subarray(0, 32), bad.subarray(32, 52), bad.slice(52)),
      false,
    );
  }
});

Deno.test("answers any bytes with true or false as strict noble does, and never throws", () => {
  fc.assert(
    fc.property(
      seeds,
      messages,
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (publicKey, message, signature) => {
        const seen = verifyEd25519(publicKey, message, signature);
        let wanted = false;
        try {
          wanted = ed25519.verify(signature, message, publicKey, {
            zip215: false,
          });
        } catch { /* noble throws on keys off the curve */ }
        assertEquals(seen, wanted);
      },
    ),
    { numRuns: 100 },
  );
  for (const length of [0, 31, 33]) {
    const signature = new Uint8Array(64);
    assertEquals(
      verifyEd25519(new Uint8Array(length), signature, signature),
      false,
    );
  }
  const { publicKey } = ed25519KeyFromSeed(new Uint8Array(32));
  assertEquals(
    verifyEd25519(publicKey, publicKey, new Uint8Array(63)),
    false,
  );
});

Deno.test("refuses every key of small order, under which one signature fits any message", () => {
  const identity = concat([Uint8Array.of(1), new Uint8Array(63)]);
  const torsion = fromHex(
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  );
  let point = ed25519.Point.BASE.subtract(ed25519.Point.BASE);
  for (let i = 0; i < 8; i++) {
    for (const sign of [0, 0x80]) {
      const key = point.toBytes();
      key[31]! |= sign;
      assertEquals(verifyEd25519(key, Uint8Array.of(i), identity), false);
    }
    point = point.add(ed25519.Point.fromBytes(torsion));
  }
  assertTrue(point.is0(), "the eight of them were all");
});

Deno.test("refuses the other half of a malleable signature", () => {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(4));
  const message = Uint8Array.of(1);
  const signature = key.sign(message);
  // S + L verifies in sloppy implementations (RFC 8032, 5.1.7 demands S < L).
  let carry = 0n;
  const order = ed25519.Point.Fn.ORDER;
  for (let i = 0; i < 32; i++) {
    const sum = BigInt(signature[32 + i]!) +
      ((order >> BigInt(8 * i)) & 255n) + carry;
    signature[32 + i] = Number(sum & 255n);
    carry = sum >> 8n;
  }
  assertEquals(verifyEd25519(key.publicKey, message, signature), false);
});

Deno.test("refuses a seed of another length", () => {
  assertThrowsCode(
    () => ed25519KeyFromSeed(new Uint8Array(31)),
    "malformed",
    /31 bytes, wanted 32/,
  );
});
