/** The tombstone: its creator's signed wish that a tessera be forgotten by whoever keeps fragments of it. */
import {
  blake3,
  type CreatorKeys,
  type MlDsaSuite,
  type PublicKeys,
  verifyBoth,
} from "@tesseras/crypto";
import {
  assert,
  concat,
  equal,
  type Hash,
  type TesseraId,
  tesseraId,
  TesserasError,
  toHex,
  u64be,
  utf8,
} from "@tesseras/core";
import {
  CLOCK_SKEW_MS,
  ED25519_SIGNATURE_BYTES,
  HASH_BYTES,
  ML_DSA_SIGNATURE_BYTES,
  TOMBSTONE_BYTES_MAX,
  TOMBSTONE_TTL_MS,
} from "@tesseras/core/limits";
import type { Plan } from "./plan.ts";

/** A tombstone before it is signed. */
export type TombstoneDraft = {
  readonly tesseraId: TesseraId;
  /** Unix milliseconds: it counts from then for {@link TOMBSTONE_TTL_MS}. */
  readonly createdAtMs: number;
};

/** A signed tombstone. */
export type Tombstone = TombstoneDraft & {
  /** The signed form, layout in docs/FORMAT.md. */
  readonly bytes: Uint8Array;
};

/** Begins every tombstone, says its version, and keeps its signature apart from those of a plan and a MANIFEST. */
const TAG = utf8("TESSERA TOMBSTONE v1\n");
const PAYLOAD_BYTES = TAG.length + HASH_BYTES + 8;
const TOMBSTONE_BYTES = PAYLOAD_BYTES + ED25519_SIGNATURE_BYTES +
  ML_DSA_SIGNATURE_BYTES;

assert(TOMBSTONE_BYTES <= TOMBSTONE_BYTES_MAX, "a tombstone fits in a message");

/** Signs a tombstone with both keys; the same draft and keys give the same bytes. */
export function signTombstone(
  draft: TombstoneDraft,
  keys: CreatorKeys,
): Tombstone {
  const payload = concat([
    TAG,
    draft.tesseraId,
    u64be(BigInt(draft.createdAtMs)),
  ]);
  const { ed25519, mlDsa } = keys.sign(payload);
  return readTombstone(concat([payload, ed25519, mlDsa]));
}

/**
 * Reads a tombstone; {@link verifyTombstone} checks who made it, and {@link checkTombstoneFresh} when. Copies the bytes.
 *
 * @throws `malformed`
 */
export function readTombstone(bytes: Uint8Array): Tombstone {
  if (bytes.length !== TOMBSTONE_BYTES) {
    throw malformed(`${bytes.length} bytes, wanted ${TOMBSTONE_BYTES}`);
  }
  if (!equal(bytes.subarray(0, TAG.length), TAG)) {
    throw malformed("it does not begin with TESSERA TOMBSTONE v1");
  }
  const own = bytes.slice();
  const time = new DataView(own.buffer).getBigUint64(TAG.length + HASH_BYTES);
  const createdAtMs = Number(time);
  if (createdAtMs > Number.MAX_SAFE_INTEGER - TOMBSTONE_TTL_MS) {
    throw malformed(`made at ${time}, which is no time`);
  }
  const id = own.subarray(TAG.length, TAG.length + HASH_BYTES);
  return { tesseraId: tesseraId(id), createdAtMs, bytes: own };
}

/**
 * Checks that a tombstone is for the tessera of a plan and signed by the plan's signer. It carries no keys, because they
 * would prove nothing: what is forgotten are fragments of plans that the same two keys signed.
 *
 * @throws `forged`
 */
export async function verifyTombstone(
  tombstone: Tombstone,
  plan: Pick<Plan, "tesseraId" | "publicKeys">,
  suite: MlDsaSuite,
): Promise<void> {
  if (!equal(tombstone.tesseraId, plan.tesseraId)) {
    throw forged(tombstone, `the plan is for ${toHex(plan.tesseraId)}`);
  }
  const { bytes } = tombstone;
  const mlDsaAt = PAYLOAD_BYTES + ED25519_SIGNATURE_BYTES;
  const fits = await verifyBoth({
    message: bytes.subarray(0, PAYLOAD_BYTES),
    signatures: {
      ed25519: bytes.subarray(PAYLOAD_BYTES, mlDsaAt),
      mlDsa: bytes.subarray(mlDsaAt),
    },
    publicKeys: plan.publicKeys,
  }, suite);
  if (fits.ed25519 && fits.mlDsa) return;
  const which = fits.ed25519 ? "ML-DSA-65" : "Ed25519";
  throw forged(
    tombstone,
    `its ${which} signature is not by the signer of the plan`,
  );
}

/** Until when a tombstone counts, Unix milliseconds. */
export function tombstoneExpiry(tombstone: TombstoneDraft): number {
  return tombstone.createdAtMs + TOMBSTONE_TTL_MS;
}

/**
 * Checks that a tombstone counts now: one that somebody kept must not delete for ever what its creator published again.
 *
 * @throws `refused` when its time is up, or it was made further in the future than clocks may differ
 */
export function checkTombstoneFresh(
  tombstone: TombstoneDraft,
  nowMs: number,
): void {
  const { createdAtMs, tesseraId } = tombstone;
  const reason = tombstoneExpiry(tombstone) <= nowMs
    ? `it ran out ${nowMs - tombstoneExpiry(tombstone)} ms ago`
    : createdAtMs > nowMs + CLOCK_SKEW_MS
    ? `made ${createdAtMs - nowMs} ms in the future, at most ${CLOCK_SKEW_MS}`
    : undefined;
  if (reason === undefined) return;
  throw new TesserasError(
    "refused",
    `Cannot use tombstone of ${toHex(tesseraId)}: ${reason}`,
  );
}

/** The name of whoever signs plans and tombstones with two keys: BLAKE3 of both, Ed25519 first. */
export function creatorOf(keys: PublicKeys): Hash {
  return blake3(concat([keys.ed25519, keys.mlDsa]));
}

function malformed(what: string): TesserasError {
  return new TesserasError("malformed", `Cannot read tombstone: ${what}`);
}

function forged(tombstone: Tombstone, why: string): TesserasError {
  return new TesserasError(
    "forged",
    `Cannot trust tombstone of ${toHex(tombstone.tesseraId)}: ${why}`,
  );
}
