/** Proof of work beside hashing nonce by nonce: `deno run -A lib/crypto/pow_bench.ts`. */
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { rateOf, report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { NODE_ID_BYTES } from "@tesseras/core/limits";
import { findNonce, leadingZeroBits } from "./pow.ts";

const MILLION = 1_000_000;
const ATTEMPTS = 1 << 16;
/** More work than will ever be found, so that no search ends early. */
const BITS = 8 * NODE_ID_BYTES;

const key = new SeededRandom(1).bytes(32);
const input = new Uint8Array(40);
input.set(key);
const nonce = new DataView(input.buffer, 32);
let next = 0n;

report(
  {
    name: "findNonce",
    value: rateOf(() => {
      findNonce(key, BITS, { from: next, attempts: ATTEMPTS });
      next += BigInt(ATTEMPTS);
    }, ATTEMPTS / MILLION),
  },
  "million hashes/s",
  {
    name: "@noble/hashes, one nonce after the other",
    value: rateOf(() => {
      nonce.setBigUint64(0, next++);
      return leadingZeroBits(nobleBlake3(input).subarray(0, NODE_ID_BYTES));
    }, 1 / MILLION),
  },
);
