/** The plan: which fragments a pack was cut into, signed by its creator, so that every fragment proves itself. */
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
  hash,
  type TesseraId,
  tesseraId,
  TesserasError,
  toHex,
  u32be,
  u64be,
  utf8,
} from "@tesseras/core";
import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  FRAGMENTS_MAX,
  HASH_BYTES,
  LARGE_TIER_BYTES,
  MEDIUM_TIER_BYTES,
  ML_DSA_KEY_BYTES,
  ML_DSA_SIGNATURE_BYTES,
  PLAN_BYTES_MAX,
  REPLICATION_FACTOR,
  TESSERA_BYTES_MAX,
} from "@tesseras/core/limits";
import type { Manifest } from "./manifest.ts";

/** How many fragments carry the pack, and how many more may replace them. */
export type Tier = { readonly dataCount: number; readonly parityCount: number };

/** A plan before it is signed. */
export type PlanDraft = Tier & {
  readonly tesseraId: TesseraId;
  readonly packBytes: number;
  /** Length of every fragment; the last data fragment is filled up with zeros. */
  readonly shardBytes: number;
  /** BLAKE3 of every fragment, data first. */
  readonly fragments: readonly Hash[];
};

/** A signed plan. */
export type Plan = PlanDraft & {
  readonly publicKeys: PublicKeys;
  /** BLAKE3 of {@link bytes}: the plan's name on the wire. */
  readonly hash: Hash;
  /** The signed form, layout in docs/FORMAT.md. */
  readonly bytes: Uint8Array;
};

/** Begins every plan, says its version, and keeps its signature apart from that of a MANIFEST, which begins otherwise. */
const TAG = utf8("TESSERA PLAN v1\n");
const HEAD_BYTES = TAG.length + HASH_BYTES + 8 + 4 + 2;
const KEYS_BYTES = ED25519_KEY_BYTES + ML_DSA_KEY_BYTES;
const SIGNATURES_BYTES = ED25519_SIGNATURE_BYTES + ML_DSA_SIGNATURE_BYTES;

assert(
  PLAN_BYTES_MAX >=
    HEAD_BYTES + KEYS_BYTES + FRAGMENTS_MAX * HASH_BYTES + SIGNATURES_BYTES,
  "a plan with every fragment fits",
);

/** The tier of a pack (user guide, "Fragmentation tiers"): whole copies, 16 + 8 or 48 + 24. */
export function tierOf(packBytes: number): Tier {
  if (packBytes < MEDIUM_TIER_BYTES) {
    return { dataCount: 1, parityCount: REPLICATION_FACTOR - 1 };
  }
  return packBytes < LARGE_TIER_BYTES
    ? { dataCount: 16, parityCount: 8 }
    : { dataCount: 48, parityCount: 24 };
}

/** Length of each fragment when a pack is cut into `dataCount`. */
export function shardBytesOf(packBytes: number, dataCount: number): number {
  return Math.ceil(packBytes / dataCount);
}

/** A draft from what coding found. Keeps the hashes. */
export function draftPlan(
  coded: Pick<PlanDraft, "tesseraId" | "packBytes" | "fragments">,
): PlanDraft {
  const tier = tierOf(coded.packBytes);
  assert(
    coded.fragments.length === tier.dataCount + tier.parityCount,
    "every fragment of the tier has a hash",
  );
  const shardBytes = shardBytesOf(coded.packBytes, tier.dataCount);
  return { ...coded, ...tier, shardBytes };
}

/** Signs a draft with both keys. */
export function signPlan(draft: PlanDraft, keys: CreatorKeys): Plan {
  const payload = concat([
    TAG,
    draft.tesseraId,
    u64be(BigInt(draft.packBytes)),
    u32be(draft.shardBytes),
    Uint8Array.of(draft.dataCount, draft.parityCount),
    keys.publicKeys.ed25519,
    keys.publicKeys.mlDsa,
    ...draft.fragments,
  ]);
  const { ed25519, mlDsa } = keys.sign(payload);
  return readPlan(concat([payload, ed25519, mlDsa]));
}

/**
 * Reads a plan and checks that its numbers fit together; {@link verifyPlan} checks who made it. Copies the bytes.
 *
 * @throws `malformed`
 */
export function readPlan(bytes: Uint8Array): Plan {
  if (
    bytes.length < HEAD_BYTES + KEYS_BYTES + SIGNATURES_BYTES ||
    bytes.length > PLAN_BYTES_MAX
  ) throw malformed(`${bytes.length} bytes`);
  if (!equal(bytes.subarray(0, TAG.length), TAG)) {
    throw malformed("it does not begin with TESSERA PLAN v1");
  }
  const own = bytes.slice();
  let at = TAG.length;
  const take = (count: number): Uint8Array => own.subarray(at, at += count);
  const id = tesseraId(take(HASH_BYTES));
  const numbers = new DataView(own.buffer, at);
  const packBytes = Number(numbers.getBigUint64(0));
  const shardBytes = numbers.getUint32(8);
  const [dataCount, parityCount] = [numbers.getUint8(12), numbers.getUint8(13)];
  take(14);
  checkNumbers({ packBytes, shardBytes, dataCount, parityCount });
  const publicKeys = {
    ed25519: take(ED25519_KEY_BYTES),
    mlDsa: take(ML_DSA_KEY_BYTES),
  };
  const count = dataCount + parityCount;
  const wanted = at + count * HASH_BYTES + SIGNATURES_BYTES;
  if (own.length !== wanted) {
    throw malformed(`${own.length} bytes, ${count} fragments need ${wanted}`);
  }
  const fragments = Array.from({ length: count }, () => hash(take(HASH_BYTES)));
  if (dataCount === 1 && !fragments.every((f) => equal(f, fragments[0]!))) {
    throw malformed("whole copies with different hashes");
  }
  return {
    tesseraId: id,
    packBytes,
    shardBytes,
    dataCount,
    parityCount,
    fragments,
    publicKeys,
    hash: blake3(own),
    bytes: own,
  };
}

/** @throws `forged` unless both signatures fit the keys the plan carries */
export async function verifyPlan(plan: Plan, suite: MlDsaSuite): Promise<void> {
  const signaturesAt = plan.bytes.length - SIGNATURES_BYTES;
  const mlDsaAt = signaturesAt + ED25519_SIGNATURE_BYTES;
  const fits = await verifyBoth({
    message: plan.bytes.subarray(0, signaturesAt),
    signatures: {
      ed25519: plan.bytes.subarray(signaturesAt, mlDsaAt),
      mlDsa: plan.bytes.subarray(mlDsaAt),
    },
    publicKeys: plan.publicKeys,
  }, suite);
  if (fits.ed25519 && fits.mlDsa) return;
  const which = fits.ed25519 ? "ML-DSA-65" : "Ed25519";
  throw new TesserasError(
    "forged",
    `Cannot trust plan ${
      toHex(plan.hash)
    }: its ${which} signature does not fit`,
  );
}

/**
 * Ties a plan to the tessera it speaks of: same id, and signed by the one who made it. Anybody can sign a plan
 * for anything, so this is asked as soon as the MANIFEST is at hand.
 *
 * @throws `forged` when it is another's
 */
export function planFits(
  plan: Plan,
  tessera: { readonly id: TesseraId; readonly manifest: Manifest },
): void {
  const { id, manifest } = tessera;
  const reason = !equal(plan.tesseraId, id)
    ? `it is for tessera ${toHex(plan.tesseraId)}`
    : !equal(plan.publicKeys.ed25519, manifest.creatorEd25519)
    ? "its Ed25519 key is not the creator's"
    : !equal(blake3(plan.publicKeys.mlDsa), manifest.creatorMlDsa)
    ? "its ML-DSA-65 key is not the creator's"
    : undefined;
  if (reason === undefined) return;
  throw new TesserasError(
    "forged",
    `Cannot use plan ${toHex(plan.hash)} for tessera ${toHex(id)}: ${reason}`,
  );
}

function checkNumbers(
  numbers: Tier & { readonly packBytes: number; readonly shardBytes: number },
): void {
  const { packBytes, shardBytes, dataCount, parityCount } = numbers;
  if (packBytes === 0 || packBytes > TESSERA_BYTES_MAX) {
    throw malformed(
      `a pack of ${packBytes} bytes, allowed are 1 to ${TESSERA_BYTES_MAX}`,
    );
  }
  const tier = tierOf(packBytes);
  if (
    dataCount !== tier.dataCount || parityCount !== tier.parityCount
  ) {
    throw malformed(
      `${dataCount} + ${parityCount} fragments, a pack of ${packBytes} bytes has ${tier.dataCount} + ${tier.parityCount}`,
    );
  }
  const wanted = shardBytesOf(packBytes, dataCount);
  if (shardBytes !== wanted) {
    throw malformed(`fragments of ${shardBytes} bytes, wanted ${wanted}`);
  }
}

function malformed(what: string): TesserasError {
  return new TesserasError("malformed", `Cannot read plan: ${what}`);
}
