import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { concat, toHex, u64be, VirtualClock } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import { verifyEd25519 } from "./ed25519.ts";
import {
  mintNode,
  nodeFromSeed,
  nodeIdOf,
  parseNodeKey,
  printNodeKey,
} from "./node_identity.ts";
import { leadingZeroBits } from "./pow.ts";

const SEED = new Uint8Array(32).fill(2);
const never = new AbortController().signal;

Deno.test("a minted node has the work, and an id that others compute alike", async () => {
  const node = await mintNode(
    SEED,
    { powBits: 12, clock: new VirtualClock() },
    never,
  );
  assertTrue(leadingZeroBits(node.id) >= 12);
  const digest = nobleBlake3(concat([node.publicKey, u64be(node.powNonce)]));
  assertEquals(toHex(node.id), toHex(digest.subarray(0, 20)));
  assertEquals(nodeIdOf(node.publicKey, node.powNonce), node.id);
  const message = Uint8Array.of(1, 2);
  assertTrue(verifyEd25519(node.publicKey, message, node.sign(message)));
});

Deno.test("the same seed and nonce are the same node again", async () => {
  const node = await mintNode(
    SEED,
    { powBits: 8, clock: systemClock },
    never,
  );
  const again = nodeFromSeed(SEED, node.powNonce, 8);
  assertEquals(again.id, node.id);
  assertEquals(again.publicKey, node.publicKey);
});

Deno.test("refuses an identity with too little work, saying how much it has", () => {
  assertThrowsCode(
    () => nodeFromSeed(SEED, 1n, 30),
    "forged",
    /its id has \d+ leading zero bits, the network wants 30/,
  );
});

Deno.test("a long search breathes, tells its progress and stops when asked", async () => {
  const stop = new AbortController();
  const seen: number[] = [];
  const search = mintNode(SEED, {
    powBits: 150, // nobody will ever find this
    clock: systemClock,
    onProgress(attempts) {
      seen.push(attempts);
      if (seen.length === 2) stop.abort();
    },
  }, stop.signal);
  await assertRejectsCode(search, "cancelled");
  assertEquals(seen, [seen[0]!, 2 * seen[0]!]);
});

Deno.test("a key file reads back, and is 88 bytes", () => {
  const file = printNodeKey({ seed: SEED, powNonce: 0x0102030405060708n });
  assertEquals(file.length, 88);
  assertEquals(parseNodeKey(file), {
    seed: SEED,
    powNonce: 0x0102030405060708n,
  });
});

Deno.test("refuses a key file with any bit flipped or any byte cut off", () => {
  const file = printNodeKey({ seed: SEED, powNonce: 7n });
  for (let at = 0; at < file.length; at++) {
    const bad = file.slice();
    bad[at]! ^= 1 << (at % 8);
    assertThrowsCode(
      () => parseNodeKey(bad),
      at < 8 ? "malformed" : "corrupt",
      /^Cannot read node key: /,
    );
    assertThrowsCode(() => parseNodeKey(file.subarray(0, at)), "malformed");
  }
  assertThrowsCode(
    () => parseNodeKey(concat([file, Uint8Array.of(0)])),
    "malformed",
  );
});
