/** ML-DSA-65 (FIPS 204): signatures that a quantum computer cannot forge, beside Ed25519. */
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";
import { TesserasError } from "@tesseras/core";
import {
  ML_DSA_KEY_BYTES,
  ML_DSA_SIGNATURE_BYTES,
  SEED_BYTES,
} from "@tesseras/core/limits";

/**
 * Who verifies ML-DSA-65: {@link nobleMlDsa} everywhere, or the platform's own from `@tesseras/crypto/native`,
 * which is many times faster but settles in thread order and so cannot replay a simulation.
 */
export interface MlDsaSuite {
  /** Whether the signature of the message fits the public key. Never throws on bad lengths or bytes: they are not valid. */
  verify(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean>;
}

/** An ML-DSA-65 key pair that signs; the secret stays inside. */
export type MlDsaKey = {
  /** 1,952 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature of the message: 3,309 bytes. Borrows the message. */
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/**
 * The key pair of a 32-byte secret seed (FIPS 204, algorithm 6). It signs in the deterministic variant (3.4), so
 * that the same tessera made twice is the same bytes; what the hedged variant guards against, a glitch caused on
 * the very chip while it signs, needs somebody who already holds the machine. Borrows the seed.
 *
 * @throws `malformed` unless the seed is 32 bytes
 */
export function mlDsaKeyFromSeed(seed: Uint8Array): MlDsaKey {
  if (seed.length !== SEED_BYTES) {
    throw new TesserasError(
      "malformed",
      `Cannot make an ML-DSA-65 key: seed of ${seed.length} bytes, wanted ${SEED_BYTES}`,
    );
  }
  const { publicKey, secretKey } = ml_dsa65.keygen(seed);
  return {
    publicKey,
    sign: (message) =>
      ml_dsa65.sign(message, secretKey, { extraEntropy: false }),
  };
}

/** Verification in TypeScript, synchronous underneath: the same order of events in every run. */
export const nobleMlDsa: MlDsaSuite = {
  verify(publicKey, message, signature) {
    return Promise.resolve(
      hasMlDsaLengths(publicKey, signature) &&
        ml_dsa65.verify(signature, message, publicKey),
    );
  },
};

/** Whether key and signature have the lengths of ML-DSA-65; no implementation is asked otherwise. */
export function hasMlDsaLengths(
  publicKey: Uint8Array,
  signature: Uint8Array,
): boolean {
  return publicKey.length === ML_DSA_KEY_BYTES &&
    signature.length === ML_DSA_SIGNATURE_BYTES;
}
