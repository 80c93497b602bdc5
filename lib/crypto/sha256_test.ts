import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { toHex, utf8 } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { Sha256, sha256 } from "./sha256.ts";

Deno.test("agrees with FIPS 180-4's example", () => {
  assertEquals(
    toHex(sha256(utf8("abc"))),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("agrees with another implementation however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
      const streamed = new Sha256();
      const other = nobleSha256.create();
      for (const piece of pieces) {
        streamed.update(piece);
        other.update(piece);
        assertEquals(streamed.digest(), sha256OfSoFar(other));
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("gives plain byte arrays of their own", () => {
  const digest = sha256(utf8("abc"));
  assertEquals(Object.getPrototypeOf(digest), Uint8Array.prototype);
  assertTrue(digest.byteOffset === 0 && digest.buffer.byteLength === 32);
});

function sha256OfSoFar(
  hasher: ReturnType<typeof nobleSha256.create>,
): Uint8Array {
  return new Uint8Array(hasher.clone().digest());
}
