import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { firstContactTrust, pinnedTrust } from "./certificate.ts";
import { TrustCache } from "./trust_cache.ts";

const keyOf = (byte: number) => new Uint8Array(32).fill(byte);

Deno.test("gives every key its own anchor, and the same one again", () => {
  const cache = new TrustCache(8);
  const first = cache.trustFor({ publicKey: keyOf(1) });
  assertEquals(first, pinnedTrust(keyOf(1)));
  assertEquals(cache.trustFor({ publicKey: keyOf(2) }), pinnedTrust(keyOf(2)));
  assertEquals(cache.trustFor("anyone"), firstContactTrust());
  assertTrue(cache.trustFor({ publicKey: keyOf(1) }) === first);
});

Deno.test("keeps no more than its limit, and forgets the oldest", () => {
  const cache = new TrustCache(3);
  const oldest = cache.trustFor({ publicKey: keyOf(1) });
  const newer = cache.trustFor({ publicKey: keyOf(2) });
  for (const byte of [3, 4]) cache.trustFor({ publicKey: keyOf(byte) });
  assertEquals(cache.size, 3);
  assertTrue(cache.trustFor({ publicKey: keyOf(2) }) === newer);
  assertTrue(cache.trustFor({ publicKey: keyOf(1) }) !== oldest);
});

Deno.test("keeps nothing for a key it cannot use", () => {
  const cache = new TrustCache(3);
  const publicKey = new Uint8Array(31);
  assertThrowsCode(() => cache.trustFor({ publicKey }), "malformed");
  assertEquals(cache.size, 0);
});
