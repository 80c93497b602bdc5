/** Giving fragments to holders and getting them back. */
import type { Fields } from "@tesseras/codec";
import { type Hash, hash } from "@tesseras/core";
import {
  BULK_BYTES_MAX,
  FRAGMENTS_MAX,
  HASH_BYTES,
  PLAN_BYTES_MAX,
  PROVIDER_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import type { Definition } from "./definition.ts";

/** Please keep this fragment. Its octets follow. */
export type PutFragment = {
  readonly type: "put_fragment";
  /** The signed plan, which makes the fragment prove itself. */
  readonly plan: Uint8Array;
  readonly index: number;
  /** Octets that follow. */
  readonly bulk: number;
  /** The sender's own signed provider record of this plan, when it repairs as a holder and does not publish as an owner. */
  readonly repair?: Uint8Array;
};

/** Kept: a power cut can no longer take it back. */
export type Kept = {
  readonly type: "kept";
  /** The holder's signed provider record of everything it keeps of this plan. */
  readonly provider: Uint8Array;
};

/** Please give me a range of a fragment. */
export type GetFragment = {
  readonly type: "get_fragment";
  /** The plan's hash. */
  readonly plan: Hash;
  readonly index: number;
  /** First octet wanted. */
  readonly offset: number;
  /** Octets wanted; the answer is shorter where the fragment ends before. */
  readonly length: number;
};

/** The range asked for. Its octets follow. */
export type Fragment = {
  readonly type: "fragment";
  /** Octets that follow. */
  readonly bulk: number;
};

/** Please give me a plan. */
export type GetPlan = {
  readonly type: "get_plan";
  /** The plan's hash. */
  readonly plan: Hash;
};

/** The signed plan asked for. */
export type PlanAnswer = {
  readonly type: "plan";
  readonly plan: Uint8Array;
};

/** `put_fragment`: see {@link PutFragment}. */
export const putFragment: Definition<PutFragment> = {
  kind: "request",
  answer: "kept",
  hasBulk: true,
  read: (fields) => ({
    type: "put_fragment",
    plan: fields.bytes("plan", { max: PLAN_BYTES_MAX }),
    index: fields.uint("index", FRAGMENTS_MAX - 1),
    bulk: fields.uint("bulk", BULK_BYTES_MAX),
    ...readRepair(fields),
  }),
  write: ({ plan, index, bulk, repair }) => ({ plan, index, bulk, repair }),
};

/** `kept`: see {@link Kept}. */
export const kept: Definition<Kept> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "kept",
    provider: fields.bytes("provider", { max: PROVIDER_RECORD_BYTES_MAX }),
  }),
  write: ({ provider }) => ({ provider }),
};

/** `get_fragment`: see {@link GetFragment}. */
export const getFragment: Definition<GetFragment> = {
  kind: "request",
  answer: "fragment",
  hasBulk: false,
  read: (fields) => ({
    type: "get_fragment",
    plan: hash(fields.bytes("plan", { exact: HASH_BYTES })),
    index: fields.uint("index", FRAGMENTS_MAX - 1),
    offset: fields.uint("offset", BULK_BYTES_MAX),
    length: fields.uint("length", BULK_BYTES_MAX),
  }),
  write: ({ plan, index, offset, length }) => ({ plan, index, offset, length }),
};

/** `fragment`: see {@link Fragment}. */
export const fragment: Definition<Fragment> = {
  kind: "response",
  hasBulk: true,
  read: (fields) => ({
    type: "fragment",
    bulk: fields.uint("bulk", BULK_BYTES_MAX),
  }),
  write: ({ bulk }) => ({ bulk }),
};

/** `get_plan`: see {@link GetPlan}. */
export const getPlan: Definition<GetPlan> = {
  kind: "request",
  answer: "plan",
  hasBulk: false,
  read: (fields) => ({
    type: "get_plan",
    plan: hash(fields.bytes("plan", { exact: HASH_BYTES })),
  }),
  write: ({ plan }) => ({ plan }),
};

/** `plan`: see {@link PlanAnswer}. */
export const plan: Definition<PlanAnswer> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "plan",
    plan: fields.bytes("plan", { max: PLAN_BYTES_MAX }),
  }),
  write: (message) => ({ plan: message.plan }),
};

/** The field, or none: absent is not `undefined` for whoever compares messages. */
function readRepair(fields: Fields): { readonly repair?: Uint8Array } {
  const repair = fields.optionalBytes("repair", {
    max: PROVIDER_RECORD_BYTES_MAX,
  });
  return repair === undefined ? {} : { repair };
}
