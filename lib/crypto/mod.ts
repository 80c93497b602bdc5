/**
 * Hashes, keys and signatures, synchronous so that simulations replay. The platform's faster ML-DSA-65 has an entry of
 * its own, `@tesseras/crypto/native`.
 *
 * @module
 */
export {
  Blake3,
  blake3,
  blake3Keyed,
  DERIVED_BYTES_MAX,
  deriveKey,
} from "./blake3.ts";
export { type ChunkPlace, proveChunk } from "./blake3_chunk.ts";
export {
  type ByteRange,
  type ContentShape,
  GROUP_BYTES_DEFAULT,
  GROUP_BYTES_MAX,
} from "./blake3_groups.ts";
export {
  HashTree,
  HashTreeBuilder,
  proofBytes,
  type RangeClaim,
  VerifiedRange,
  wholeGroups,
} from "./blake3_range.ts";
export { RangeStream } from "./blake3_range_stream.ts";
export {
  type Ed25519Key,
  ed25519KeyFromSeed,
  verifyEd25519,
} from "./ed25519.ts";
export { deriveSeed, KEY_CONTEXTS, type KeyPurpose } from "./key_contexts.ts";
export {
  type CreatorKeys,
  creatorKeysFromSeed,
  type PublicKeys,
  type Signatures,
} from "./keys.ts";
export {
  type MlDsaKey,
  mlDsaKeyFromSeed,
  type MlDsaSuite,
  nobleMlDsa,
} from "./ml_dsa.ts";
export {
  mintNode,
  type MintOptions,
  nodeFromSeed,
  nodeIdOf,
  type NodeKey,
  type NodeSigner,
  parseNodeKey,
  printNodeKey,
} from "./node_identity.ts";
export { parsePublicKeyPem, type PemKind, printPublicKeyPem } from "./pem.ts";
export { findNonce, leadingZeroBits } from "./pow.ts";
export { Sha256, sha256 } from "./sha256.ts";
export { type Signed, type SignedBoth, verifyBoth } from "./sign.ts";
