/** A creator's keys: the two that sign a tessera, both from one master seed. */
import { deriveSeed } from "./key_contexts.ts";
import { ed25519KeyFromSeed } from "./ed25519.ts";
import { mlDsaKeyFromSeed } from "./ml_dsa.ts";

/** The two public keys of a creator. */
export type PublicKeys = {
  /** 32 bytes. */
  readonly ed25519: Uint8Array;
  /** ML-DSA-65, 1,952 bytes. */
  readonly mlDsa: Uint8Array;
};

/** The two signatures of one message. */
export type Signatures = {
  /** 64 bytes. */
  readonly ed25519: Uint8Array;
  /** ML-DSA-65, 3,309 bytes. */
  readonly mlDsa: Uint8Array;
};

/** A creator who can sign; the secrets stay inside. */
export type CreatorKeys = {
  readonly publicKeys: PublicKeys;
  /** Both signatures over exactly the message, always the same for one message; about 10 ms. Borrows the message. */
  readonly sign: (message: Uint8Array) => Signatures;
};

/**
 * The signing keys of a 32-byte master seed. Borrows the seed.
 *
 * @throws `malformed` unless the seed is 32 bytes
 */
export function creatorKeysFromSeed(masterSeed: Uint8Array): CreatorKeys {
  const ed25519 = ed25519KeyFromSeed(deriveSeed(masterSeed, "creatorEd25519"));
  const mlDsa = mlDsaKeyFromSeed(deriveSeed(masterSeed, "creatorMlDsa65"));
  return {
    publicKeys: { ed25519: ed25519.publicKey, mlDsa: mlDsa.publicKey },
    sign: (message) => ({
      ed25519: ed25519.sign(message),
      mlDsa: mlDsa.sign(message),
    }),
  };
}
