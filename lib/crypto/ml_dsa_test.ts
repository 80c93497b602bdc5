import fc from "fast-check";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { mlDsaKeyFromSeed, type MlDsaSuite, nobleMlDsa } from "./ml_dsa.ts";
import { nativeMlDsa } from "./native.ts";

const SEED = new Uint8Array(32).fill(3);
const MESSAGE = new Uint8Array(100).fill(1);
const ALGORITHM = { name: "ML-DSA-65" };

async function suites(): Promise<readonly (readonly [string, MlDsaSuite])[]> {
  return [["noble", nobleMlDsa], ["native", await nativeMlDsa()]];
}

Deno.test("both suites accept our signature and refuse it with any part changed", async () => {
  const key = mlDsaKeyFromSeed(SEED);
  const signature = key.sign(MESSAGE);
  for (const [name, suite] of await suites()) {
    assertTrue(await suite.verify(key.publicKey, MESSAGE, signature), name);
    for (const at of [0, 47, 48, 1000, 3247, 3248, 3302, 3308]) {
      const bad = signature.slice();
      bad[at]! ^= 1;
      assertEquals(await suite.verify(key.publicKey, MESSAGE, bad), false);
    }
    for (const at of [0, 31, 32, 1951]) {
      const bad = key.publicKey.slice();
      bad[at]! ^= 0x80;
      assertEquals(await suite.verify(bad, MESSAGE, signature), false);
    }
    const other = MESSAGE.slice();
    other[0] = 2;
    assertEquals(await suite.verify(key.publicKey, other, signature), false);
  }
});

Deno.test("the platform's own ML-DSA-65 is there, verifies ours and signs for ours", async () => {
  const native = await nativeMlDsa();
  assertTrue(native !== nobleMlDsa, "this runtime has ML-DSA-65");
  const key = mlDsaKeyFromSeed(SEED);
  const secret = await crypto.subtle.importKey(
    "raw-seed" as "raw",
    SEED,
    ALGORITHM,
    false,
    ["sign"],
  );
  // The platform signs in the hedged variant, so its signature differs and fits all the same.
  const signature = new Uint8Array(
    await crypto.subtle.sign(ALGORITHM, secret, MESSAGE),
  );
  assertTrue(await nobleMlDsa.verify(key.publicKey, MESSAGE, signature));
  assertTrue(await native.verify(key.publicKey, MESSAGE, signature));
});

Deno.test("one message has one signature, so that a tessera made twice is the same bytes", () => {
  const sign = () => mlDsaKeyFromSeed(SEED).sign(MESSAGE);
  assertEquals(sign(), sign());
  const { secretKey } = ml_dsa65.keygen(SEED);
  assertEquals(
    sign(),
    ml_dsa65.sign(MESSAGE, secretKey, { extraEntropy: false }),
  );
});

Deno.test("hostile keys and signatures of any length are not valid, and nothing throws", async () => {
  const all = await suites();
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom(
      new Uint8Array(1952),
      new Uint8Array(1952).fill(255),
      new Uint8Array(3309),
      new Uint8Array(3309).fill(255),
    ),
  );
  await fc.assert(
    fc.asyncProperty(bytes, bytes, async (publicKey, signature) => {
      for (const [, suite] of all) {
        assertEquals(await suite.verify(publicKey, MESSAGE, signature), false);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("refuses a seed of another length", () => {
  assertThrowsCode(() => mlDsaKeyFromSeed(new Uint8Array(33)), "malformed");
});
