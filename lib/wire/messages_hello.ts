/** Who is there: proving an identity on a fresh connection, and asking whether a peer still lives. */
import {
  type Address,
  concat,
  formatAddress,
  type NodeId,
  utf8,
} from "@tesseras/core";
import {
  ED25519_SIGNATURE_BYTES,
  NODE_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import { readAddress } from "./addresses.ts";
import type { Definition } from "./definition.ts";

/** Bytes of a hello's nonce: nobody meets the same one twice. */
export const HELLO_NONCE_BYTES = 32;

/** The answerer of a connection asks the dialer who it is; always the first message. */
export type Challenge = {
  readonly type: "challenge";
  /** 32 fresh random bytes, good for one connection. */
  readonly nonce: Uint8Array;
  /** The answerer's signed node record. */
  readonly record: Uint8Array;
  /** The dialer's address as the answerer sees it. */
  readonly observed: Address;
};

/** The dialer shows its record and that it holds the key in it. */
export type Proof = {
  readonly type: "proof";
  /** The dialer's signed node record. */
  readonly record: Uint8Array;
  /** Ed25519 over {@link proofBytes}, 64 bytes. */
  readonly signature: Uint8Array;
};

/** Are you there? */
export type Ping = { readonly type: "ping" };

/** Yes, and this is how I look now. */
export type Pong = {
  readonly type: "pong";
  /** The answerer's signed node record. */
  readonly record: Uint8Array;
  /** The asker's address as the answerer sees it. */
  readonly observed: Address;
};

const PROOF_TAG = utf8("tesseras hello v1\n");

/**
 * What a dialer signs: a tag, the answerer's nonce and both ids. The nonce stops replay; the answerer's id stops it
 * from passing the proof on to a third node as its own.
 */
export function proofBytes(
  nonce: Uint8Array,
  answererId: NodeId,
  dialerId: NodeId,
): Uint8Array {
  return concat([PROOF_TAG, nonce, answererId, dialerId]);
}

/** `challenge`: see {@link Challenge}. */
export const challenge: Definition<Challenge> = {
  kind: "request",
  answer: "proof",
  hasBulk: false,
  read: (fields) => ({
    type: "challenge",
    nonce: fields.bytes("nonce", { exact: HELLO_NONCE_BYTES }),
    record: fields.bytes("record", { max: NODE_RECORD_BYTES_MAX }),
    observed: readAddress(fields.at("observed")),
  }),
  write: ({ nonce, record, observed }) => ({
    nonce,
    record,
    observed: formatAddress(observed),
  }),
};

/** `proof`: see {@link Proof}. */
export const proof: Definition<Proof> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "proof",
    record: fields.bytes("record", { max: NODE_RECORD_BYTES_MAX }),
    signature: fields.bytes("signature", { exact: ED25519_SIGNATURE_BYTES }),
  }),
  write: ({ record, signature }) => ({ record, signature }),
};

/** `ping`: see {@link Ping}. */
export const ping: Definition<Ping> = {
  kind: "request",
  answer: "pong",
  hasBulk: false,
  read: () => ({ type: "ping" }),
  write: () => ({}),
};

/** `pong`: see {@link Pong}. */
export const pong: Definition<Pong> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "pong",
    record: fields.bytes("record", { max: NODE_RECORD_BYTES_MAX }),
    observed: readAddress(fields.at("observed")),
  }),
  write: ({ record, observed }) => ({
    record,
    observed: formatAddress(observed),
  }),
};
