/** Making sure that fragments are still kept, and asking holders to forget them. */
import type { Fields } from "@tesseras/codec";
import { type Hash, hash } from "@tesseras/core";
import {
  AUDIT_BULK_BYTES_MAX,
  AUDIT_LEAF_COUNT_MAX,
  AUDIT_LEAVES_MAX,
  FRAGMENTS_MAX,
  HASH_BYTES,
  TOMBSTONE_BYTES_MAX,
} from "@tesseras/core/limits";
import type { Definition } from "./definition.ts";

/** What do you keep of this plan? Answered with `kept`, as after `put_fragment`. */
export type Attest = {
  readonly type: "attest";
  /** The plan's hash. */
  readonly plan: Hash;
};

/** Please prove that you have these leaves of a fragment. */
export type Audit = {
  readonly type: "audit";
  /** The plan's hash. */
  readonly plan: Hash;
  readonly index: number;
  /** Which leaves of `AUDIT_LEAF_BYTES`, counted from 0: 1 to 16, ascending, each once. */
  readonly leaves: readonly number[];
};

/** The leaves asked for, each with its path to the fragment's hash, follow. */
export type Audited = {
  readonly type: "audited";
  /** Octets that follow. */
  readonly bulk: number;
};

/** Please forget a tessera: its creator says so. */
export type Forget = {
  readonly type: "forget";
  /** The signed tombstone. */
  readonly tombstone: Uint8Array;
};

/** Forgotten: nothing of it is kept any more. */
export type Forgotten = {
  readonly type: "forgotten";
  /** Fragments that were removed now; 0 when none was left. */
  readonly count: number;
};

/** How many fragments `forgotten` may count: of every plan a holder can have for one tessera. */
const FORGOTTEN_MAX = 0xffff_ffff;

/** `attest`: see {@link Attest}. */
export const attest: Definition<Attest> = {
  kind: "request",
  answer: "kept",
  hasBulk: false,
  read: (fields) => ({
    type: "attest",
    plan: hash(fields.bytes("plan", { exact: HASH_BYTES })),
  }),
  write: ({ plan }) => ({ plan }),
};

/** `audit`: see {@link Audit}. */
export const audit: Definition<Audit> = {
  kind: "request",
  answer: "audited",
  hasBulk: false,
  read: (fields) => ({
    type: "audit",
    plan: hash(fields.bytes("plan", { exact: HASH_BYTES })),
    index: fields.uint("index", FRAGMENTS_MAX - 1),
    leaves: readLeaves(fields),
  }),
  write: ({ plan, index, leaves }) => ({ plan, index, leaves }),
};

/** `audited`: see {@link Audited}. */
export const audited: Definition<Audited> = {
  kind: "response",
  hasBulk: true,
  read: (fields) => ({
    type: "audited",
    bulk: fields.uint("bulk", AUDIT_BULK_BYTES_MAX),
  }),
  write: ({ bulk }) => ({ bulk }),
};

/** `forget`: see {@link Forget}. */
export const forget: Definition<Forget> = {
  kind: "request",
  answer: "forgotten",
  hasBulk: false,
  read: (fields) => ({
    type: "forget",
    tombstone: fields.bytes("tombstone", { max: TOMBSTONE_BYTES_MAX }),
  }),
  write: ({ tombstone }) => ({ tombstone }),
};

/** `forgotten`: see {@link Forgotten}. */
export const forgotten: Definition<Forgotten> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "forgotten",
    count: fields.uint("count", FORGOTTEN_MAX),
  }),
  write: ({ count }) => ({ count }),
};

/** Leaves in one order, each once: so that no leaf is paid for twice and the answer has one form. */
function readLeaves(fields: Fields): readonly number[] {
  const leaves = fields.list(
    "leaves",
    AUDIT_LEAVES_MAX,
    (item) => item.uint(AUDIT_LEAF_COUNT_MAX - 1),
  );
  const ascending = leaves.every((leaf, at) =>
    at === 0 || leaf > leaves[at - 1]!
  );
  if (leaves.length === 0 || !ascending) {
    fields.at("leaves").refuse("at least one, ascending and each once");
  }
  return leaves;
}
