/** Ed25519 (RFC 8032), synchronous, so that a simulation replays: the platform's own through `node:crypto`. */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { concat, equal, fromHex, keyOf, TesserasError } from "@tesseras/core";
import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  SEED_BYTES,
} from "@tesseras/core/limits";

/** An Ed25519 key pair that signs; the secret stays inside. */
export type Ed25519Key = {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature of the message: 64 bytes, always the same for one message (RFC 8032, 5.1.6). Borrows the message. */
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/** DER of a PKCS #8 private key around the 32 bytes of its seed (RFC 8410, 7). */
const PKCS8_HEAD = fromHex("302e020100300506032b657004220420");
/** DER of a SubjectPublicKeyInfo around the 32 bytes of the key (RFC 8410, 4). */
const SPKI_HEAD = fromHex("302a300506032b6570032100");

/** Keys kept ready, about 1 KB each: of the creators and peers that are busy now. */
const USED_KEYS_MAX = 256;
/** Keys that verified before, by their bytes, the first used in front. */
const USED_KEYS = new Map<string, KeyObject>();

/**
 * The y coordinates of the eight points of small order, little-endian and without the sign bit, those written
 * with a y of p or more included. Under such a key one signature fits nearly every message, so it names nobody.
 */
const SMALL_ORDER_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

/**
 * The key pair of a 32-byte secret seed. Copies the seed.
 *
 * @throws `malformed` unless the seed is 32 bytes
 * @example
 * ```ts
 * import { ed25519KeyFromSeed, verifyEd25519 } from "@tesseras/crypto";
 * import { assertEquals } from "@tesseras/testing";
 * const key = ed25519KeyFromSeed(new Uint8Array(32).fill(7));
 * const message = Uint8Array.of(1, 2, 3);
 * assertEquals(verifyEd25519(key.publicKey, message, key.sign(message)), true);
 * ```
 */
export function ed25519KeyFromSeed(seed: Uint8Array): Ed25519Key {
  if (seed.length !== SEED_BYTES) {
    throw new TesserasError(
      "malformed",
      `Cannot make an Ed25519 key: seed of ${seed.length} bytes, wanted ${SEED_BYTES}`,
    );
  }
  const secret = createPrivateKey({
    key: keyBytes(PKCS8_HEAD, seed),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return {
    publicKey: Uint8Array.from(spki.subarray(SPKI_HEAD.length)),
    sign: (message) => Uint8Array.from(sign(null, message, secret)),
  };
}

/**
 * Whether the signature of the message was made with the secret of the public key. Never throws: a key or signature of
 * another length, off the curve or of small order is simply not valid.
 */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (
    publicKey.length !== ED25519_KEY_BYTES ||
    signature.length !== ED25519_SIGNATURE_BYTES
  ) return false;
  const key = keyFor(publicKey);
  return key !== undefined && verify(null, message, key, signature);
}

/** The platform's key for a public key, which takes a third of the time of a verification to make; `undefined` for none to trust. */
function keyFor(publicKey: Uint8Array): KeyObject | undefined {
  const name = keyOf(publicKey);
  const known = USED_KEYS.get(name);
  if (known !== undefined) return known;
  if (isSmallOrder(publicKey)) return undefined;
  const key = importPublicKey(publicKey);
  if (key === undefined) return undefined;
  if (USED_KEYS.size >= USED_KEYS_MAX) {
    const [oldest] = USED_KEYS.keys();
    if (oldest !== undefined) USED_KEYS.delete(oldest);
  }
  USED_KEYS.set(name, key);
  return key;
}

function isSmallOrder(publicKey: Uint8Array): boolean {
  const y = publicKey.slice();
  y[ED25519_KEY_BYTES - 1]! &= 0x7f;
  return SMALL_ORDER_Y.some((small) => equal(small, y));
}

function importPublicKey(publicKey: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({
      key: keyBytes(SPKI_HEAD, publicKey),
      format: "der",
      type: "spki",
    });
  } catch {
    // The head is ours and right, so only the key itself can be at fault: it is no point of the curve.
    return undefined;
  }
}

/** `node:crypto` reads keys from its own `Buffer` type only. */
function keyBytes(head: Uint8Array, key: Uint8Array): Buffer {
  return Buffer.from(concat([head, key]));
}
