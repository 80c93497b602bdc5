/** What every signed record shares: the envelope, the signature over the bytes that arrived, the identity, the times. */
import {
  type Encodable,
  encode,
  type Fields,
  readFields,
} from "@tesseras/codec";
import { concat, type NodeId, TesserasError, utf8 } from "@tesseras/core";
import {
  CLOCK_SKEW_MS,
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
} from "@tesseras/core/limits";
import {
  leadingZeroBits,
  nodeIdOf,
  type NodeSigner,
  verifyEd25519,
} from "@tesseras/crypto";

/** What a kind of record is called, signed under and limited to. */
export type RecordKind = {
  /** For the sentences of errors. */
  readonly name: string;
  /** Stands before the payload when it is signed, so that no signature of one kind passes for another. */
  readonly tag: string;
  readonly bytesMax: number;
  /** From signing to expiry at most. */
  readonly ttlMs: number;
};

/** What a record is judged by: our time, and the work the network asks of an id. */
export type RecordRules = {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** Leading zero bits of every node id. */
  readonly powBits: number;
};

/** Who signed a record, and for when. */
export type Stamp = {
  /** The signer's id, computed from its key and nonce. */
  readonly id: NodeId;
  /** The signer's Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The nonce that makes the id of the key. */
  readonly powNonce: bigint;
  /** Unix milliseconds of signing; more than in any record of this kind its signer made before. The higher one counts. */
  readonly sequence: number;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
};

/** The opened envelope, before anything in it is believed. */
export type Opened = {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly fields: Fields;
};

/** Depth of the deepest payload: a map with a list or a map inside. */
const DEPTH_MAX = 3;
/** Values in a payload, keys counted: 72 indices and a dozen fields fit, with room for what newer nodes say. */
const ITEMS_MAX = 256;

/** Signs a payload and wraps it: `{ p: payload, s: signature }`. */
export function sealRecord(
  kind: RecordKind,
  payload: { readonly [name: string]: Encodable | undefined },
  signer: NodeSigner,
): Uint8Array {
  const p = encode(payload);
  return encode({ p, s: signer.sign(signedBytes(kind, p)) });
}

/** The fields every payload ends with. */
export function stampFields(
  signer: NodeSigner,
  times: { readonly sequence: number; readonly expiresAtMs: number },
): { readonly [name: string]: Encodable } {
  return {
    key: signer.publicKey,
    nonce: signer.powNonce,
    sequence: times.sequence,
    expires: times.expiresAtMs,
  };
}

/** Opens an envelope. Believes nothing in it. @throws `malformed` */
export function openRecord(kind: RecordKind, bytes: Uint8Array): Opened {
  const limits = {
    bytesMax: kind.bytesMax,
    depthMax: DEPTH_MAX,
    itemsMax: ITEMS_MAX,
  };
  const envelope = readFields(bytes, limits, kind.name);
  const payload = envelope.bytes("p", { max: kind.bytesMax });
  const signature = envelope.bytes("s", { exact: ED25519_SIGNATURE_BYTES });
  return { payload, signature, fields: readFields(payload, limits, kind.name) };
}

/** Reads who signed and for when. @throws `malformed`, also when it would live longer than its kind may */
export function readStamp(kind: RecordKind, fields: Fields): Stamp {
  const publicKey = fields.bytes("key", { exact: ED25519_KEY_BYTES });
  const powNonce = fields.u64("nonce");
  const sequence = fields.uint("sequence", Number.MAX_SAFE_INTEGER);
  const expiresAtMs = fields.uint("expires", Number.MAX_SAFE_INTEGER);
  if (expiresAtMs <= sequence || expiresAtMs - sequence > kind.ttlMs) {
    fields.at("expires").refuse(
      `at most ${kind.ttlMs} ms after the sequence ${sequence}`,
    );
  }
  const id = nodeIdOf(publicKey, powNonce);
  return { id, publicKey, powNonce, sequence, expiresAtMs };
}

/** Checks the work and then the signature, the dearer one last. @throws `forged` */
export function verifyRecord(
  kind: RecordKind,
  opened: Opened,
  signer: { readonly id: NodeId; readonly publicKey: Uint8Array },
  powBits: number,
): void {
  const bits = leadingZeroBits(signer.id);
  if (bits < powBits) {
    throw new TesserasError(
      "forged",
      `Cannot believe ${kind.name}: its signer's id has ${bits} leading zero bits, wanted ${powBits}`,
    );
  }
  const message = signedBytes(kind, opened.payload);
  if (!verifyEd25519(signer.publicKey, message, opened.signature)) {
    throw new TesserasError(
      "forged",
      `Cannot believe ${kind.name}: its signature does not fit its key`,
    );
  }
}

/**
 * Checks the times. A record passes through many hands, so an old one says nothing against who gave it.
 *
 * @throws `refused` when it has expired, or was signed further in the future than clocks may differ
 */
export function checkFresh(
  name: string,
  times: { readonly sequence: number; readonly expiresAtMs: number },
  nowMs: number,
): void {
  if (times.expiresAtMs <= nowMs) {
    throw new TesserasError(
      "refused",
      `Cannot use ${name}: it expired ${nowMs - times.expiresAtMs} ms ago`,
    );
  }
  if (times.sequence > nowMs + CLOCK_SKEW_MS) {
    throw new TesserasError(
      "refused",
      `Cannot use ${name}: signed ${
        times.sequence - nowMs
      } ms in the future, at most ${CLOCK_SKEW_MS}`,
    );
  }
}

function signedBytes(kind: RecordKind, payload: Uint8Array): Uint8Array {
  return concat([utf8(kind.tag), payload]);
}
