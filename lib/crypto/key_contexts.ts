/** One master seed, many keys: each comes out of BLAKE3 derive_key under a context of its own. */
import { assert, TesserasError } from "@tesseras/core";
import { SEED_BYTES } from "@tesseras/core/limits";
import { deriveKey } from "./blake3.ts";

/**
 * Every context string there is (BLAKE3 paper, 5.3: hard-coded, globally unique, about application, date and
 * purpose). Two purposes never share one, so that no key tells anything about another. A context is never changed,
 * because heirs must get the same keys from the same seed. Encryption does not exist yet; its names are taken.
 */
export const KEY_CONTEXTS = {
  creatorEd25519: "tesseras 2026-02-14 creator ed25519 signing key v1",
  creatorMlDsa65: "tesseras 2026-02-14 creator ml-dsa-65 signing key v1",
  creatorX25519: "tesseras 2026-02-14 creator x25519 encryption key v1",
  creatorMlKem768: "tesseras 2026-02-14 creator ml-kem-768 encryption key v1",
  nodeEd25519: "tesseras 2026-02-14 node ed25519 signing key v1",
} as const;

/** What a derived seed is for. */
export type KeyPurpose = keyof typeof KEY_CONTEXTS;

assert(
  new Set(Object.values(KEY_CONTEXTS)).size ===
    Object.keys(KEY_CONTEXTS).length,
  "every key has a context of its own",
);

/**
 * The 32-byte seed of one key, from the master seed. Secret; borrows the master seed.
 *
 * @throws `malformed` unless the master seed is 32 bytes
 */
export function deriveSeed(
  masterSeed: Uint8Array,
  purpose: KeyPurpose,
): Uint8Array {
  if (masterSeed.length !== SEED_BYTES) {
    throw new TesserasError(
      "malformed",
      `Cannot derive a key: master seed of ${masterSeed.length} bytes, wanted ${SEED_BYTES}`,
    );
  }
  return deriveKey(KEY_CONTEXTS[purpose], masterSeed);
}
