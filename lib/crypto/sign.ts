/** Verifying a pair of signatures: what is signed holds only if both do, so that breaking one scheme is not enough. */
import { verifyEd25519 } from "./ed25519.ts";
import type { PublicKeys, Signatures } from "./keys.ts";
import type { MlDsaSuite } from "./ml_dsa.ts";

/** A message with both signatures, as it came from outside. */
export type Signed = {
  readonly message: Uint8Array;
  readonly signatures: Signatures;
  /** The keys it claims to be signed with: whether they belong to the right person is the caller's question. */
  readonly publicKeys: PublicKeys;
};

/** Which of the two signatures fit. */
export type SignedBoth = {
  readonly ed25519: boolean;
  readonly mlDsa: boolean;
};

/** Checks both signatures, the second also when the first fails, so that a report can name each. Never throws. */
export async function verifyBoth(
  signed: Signed,
  suite: MlDsaSuite,
): Promise<SignedBoth> {
  const { message, signatures, publicKeys } = signed;
  return {
    ed25519: verifyEd25519(publicKeys.ed25519, message, signatures.ed25519),
    mlDsa: await suite.verify(publicKeys.mlDsa, message, signatures.mlDsa),
  };
}
