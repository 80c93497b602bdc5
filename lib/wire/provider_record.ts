/** The provider record: one holder's signed word that it keeps fragments of a tessera. */
import {
  type Hash,
  hash,
  type NodeId,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import {
  FRAGMENTS_MAX,
  HASH_BYTES,
  POINTER_TTL_MS,
  PROVIDER_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import type { Fields } from "@tesseras/codec";
import {
  checkFresh,
  type Opened,
  openRecord,
  readStamp,
  type RecordKind,
  type RecordRules,
  sealRecord,
  stampFields,
  verifyRecord,
} from "./signed.ts";

/** What a holder says it keeps. */
export type ProviderRecordFields = {
  readonly tesseraId: TesseraId;
  /** The plan the fragments belong to. */
  readonly planHash: Hash;
  /** Which fragments: at least one, ascending, each once. */
  readonly indices: readonly number[];
  /** Unix milliseconds of signing, and more than in the record before. */
  readonly sequence: number;
  /** Unix milliseconds, at most a pointer's life after `sequence`. */
  readonly expiresAtMs: number;
};

/** A provider record that was checked. */
export type ProviderRecord = ProviderRecordFields & {
  /** Who signed it and keeps the fragments. */
  readonly holder: NodeId;
  /** The holder's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly powNonce: bigint;
  /** The signed record as it travels. */
  readonly bytes: Uint8Array;
};

const KIND: RecordKind = {
  name: "provider record",
  tag: "tesseras provider record v1\n",
  bytesMax: PROVIDER_RECORD_BYTES_MAX,
  ttlMs: POINTER_TTL_MS,
};

/**
 * Signs what a holder keeps.
 *
 * @throws `malformed` when no reader would accept it: no index, one twice or out of order, or over a limit
 */
export function signProviderRecord(
  fields: ProviderRecordFields,
  signer: NodeSigner,
): ProviderRecord {
  const bytes = sealRecord(KIND, {
    tessera: fields.tesseraId,
    plan: fields.planHash,
    indices: fields.indices,
    ...stampFields(signer, fields),
  }, signer);
  return parse(bytes, openRecord(KIND, bytes));
}

/**
 * Reads and checks a provider record. Borrows the bytes.
 *
 * @throws `malformed`; `forged` when the work is too small or the signature does not fit; `refused` when it has expired or
 *   comes from the future
 */
export function readProviderRecord(
  bytes: Uint8Array,
  rules: RecordRules,
): ProviderRecord {
  const opened = openRecord(KIND, bytes);
  const record = parse(bytes.slice(), opened);
  checkProviderRecordFresh(record, rules.nowMs);
  const signer = { id: record.holder, publicKey: record.publicKey };
  verifyRecord(KIND, opened, signer, rules.powBits);
  return record;
}

/** Checks the times of a record that was read before. @throws `refused` */
export function checkProviderRecordFresh(
  record: ProviderRecord,
  nowMs: number,
): void {
  checkFresh(KIND.name, record, nowMs);
}

/** Checks shape and limits, and keeps `bytes`. */
function parse(bytes: Uint8Array, { fields }: Opened): ProviderRecord {
  const { id, ...stamp } = readStamp(KIND, fields);
  return {
    ...stamp,
    holder: id,
    tesseraId: tesseraId(fields.bytes("tessera", { exact: HASH_BYTES })),
    planHash: hash(fields.bytes("plan", { exact: HASH_BYTES })),
    indices: readIndices(fields),
    bytes,
  };
}

function readIndices(fields: Fields): readonly number[] {
  const indices = fields.list(
    "indices",
    FRAGMENTS_MAX,
    (item) => item.uint(FRAGMENTS_MAX - 1),
  );
  const ascending = indices.every((index, at) =>
    at === 0 || index > indices[at - 1]!
  );
  if (indices.length === 0 || !ascending) {
    fields.at("indices").refuse("at least one, ascending and each once");
  }
  return indices;
}
