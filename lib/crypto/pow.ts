/** Proof of work on a node's identity: an id is accepted only when it begins with enough zero bits. */
import { concat, TesserasError, u64be } from "@tesseras/core";
import { ED25519_KEY_BYTES, NODE_ID_BYTES } from "@tesseras/core/limits";
import { blake3 } from "./blake3.ts";
import { engine } from "./blake3_engine.ts";

/** Groups of four nonces tried in one call of the kernel: about a quarter of a millisecond. */
const GROUPS_MAX = 2048;
const NONCES = 1n << 64n;
const LOW_NONCES = 2 ** 32;

/** How many zero bits the bytes begin with, most significant bit first. */
export function leadingZeroBits(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== 0) return 8 * i + Math.clz32(bytes[i]!) - 24;
  }
  return 8 * bytes.length;
}

/**
 * The first of the nonces `from` to `from + attempts - 1` that gives the key a node id with at least `bits` leading
 * zero bits, or `undefined`. The id is the first 20 bytes of BLAKE3(public key || nonce as eight big-endian bytes).
 * Computes without a pause, about 30 million nonces a second: callers that must stay responsive ask in small ranges.
 *
 * @throws `unusable` unless the key has 32 bytes, `bits` is 0 to 160 and the range lies within 0 to 2^64 - 1
 */
export function findNonce(
  publicKey: Uint8Array,
  bits: number,
  { from, attempts }: { readonly from: bigint; readonly attempts: number },
): bigint | undefined {
  requireSearchable(publicKey, bits);
  const end = requireRange(from, attempts);
  const mask = firstWordMask(bits);
  for (let next = from; next < end;) {
    const high = Number(next >> 32n);
    const low = Number(next & 0xffff_ffffn);
    // The kernel counts in the low half only. It may look at three nonces past the room; what it finds there is not ours.
    const room = Math.min(
      Number(end - next),
      LOW_NONCES - low,
      4 * GROUPS_MAX,
    );
    const groups = Math.ceil(room / 4);
    const before = engine().search(publicKey, { high, low, groups }, mask);
    if (before >= room) {
      next += BigInt(room);
      continue;
    }
    const candidate = next + BigInt(before);
    if (workOf(publicKey, candidate) >= bits) return candidate;
    next = candidate + 1n;
  }
  return undefined;
}

/** The kernel looks at 32 bits; this at all of them. */
function workOf(publicKey: Uint8Array, nonce: bigint): number {
  const id = blake3(concat([publicKey, u64be(nonce)]));
  return leadingZeroBits(id.subarray(0, NODE_ID_BYTES));
}

/** The bits that must be zero in the first four bytes of an id, as the little-endian word the kernel sees. */
function firstWordMask(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits >= 32 ? 0xffff_ffff : ~(0xffff_ffff >>> bits));
  return view.getUint32(0, true);
}

function requireSearchable(publicKey: Uint8Array, bits: number): void {
  if (publicKey.length !== ED25519_KEY_BYTES) {
    throw new TesserasError(
      "unusable",
      `Cannot search a nonce: the key has ${publicKey.length} bytes, wanted ${ED25519_KEY_BYTES}`,
    );
  }
  if (!Number.isInteger(bits) || bits < 0 || bits > 8 * NODE_ID_BYTES) {
    throw new TesserasError(
      "unusable",
      `Cannot search a nonce: ${bits} zero bits asked, wanted 0 to ${
        8 * NODE_ID_BYTES
      }`,
    );
  }
}

/** Returns the end of the range, which the range does not hold. */
function requireRange(from: bigint, attempts: number): bigint {
  const valid = Number.isSafeInteger(attempts) && attempts >= 0 && from >= 0n &&
    from + BigInt(attempts) <= NONCES;
  if (!valid) {
    throw new TesserasError(
      "unusable",
      `Cannot search a nonce: ${attempts} from ${from} asked, wanted a range within 64 bits`,
    );
  }
  return from + BigInt(attempts);
}
