/** Finding nodes and holders, and telling the nodes near a tessera's key who holds it. */
import type { Encodable, Field } from "@tesseras/codec";
import { type NodeId, nodeId, type TesseraId, tesseraId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  HASH_BYTES,
  NODE_ID_BYTES,
  NODE_RECORD_BYTES_MAX,
  POINTERS_MAX,
  PROVIDER_RECORD_BYTES_MAX,
  PROVIDERS_PER_MESSAGE_MAX,
} from "@tesseras/core/limits";
import { CAPABILITIES_MAX } from "./capabilities.ts";
import type { Definition } from "./definition.ts";

/** A signed provider record, and the signed node record that says where its holder is. */
export type ProviderEntry = {
  readonly record: Uint8Array;
  readonly holder: Uint8Array;
};

/** Which nodes do you know close to this point? */
export type FindNode = {
  readonly type: "find_node";
  readonly target: NodeId;
  /** Capability bits every node in the answer must have; 0 asks for any node. */
  readonly want: number;
};

/** Signed node records, closest to the target first. */
export type Nodes = {
  readonly type: "nodes";
  readonly records: readonly Uint8Array[];
};

/** Who holds this tessera? */
export type FindValue = {
  readonly type: "find_value";
  readonly tessera: TesseraId;
  /** How many providers to pass over, for asking on where an answer ended. */
  readonly skip: number;
};

/** The providers known, and nodes closer to the tessera's key. */
export type Providers = {
  readonly type: "providers";
  readonly providers: readonly ProviderEntry[];
  /** How many more providers are known beyond these. */
  readonly more: number;
  /** Signed node records, closest to the key first. */
  readonly nodes: readonly Uint8Array[];
};

/** Please remember these providers. */
export type Store = {
  readonly type: "store";
  readonly entries: readonly ProviderEntry[];
};

/** How many entries were kept, and how many were not. */
export type Stored = {
  readonly type: "stored";
  readonly accepted: number;
  readonly refused: number;
};

/** `find_node`: see {@link FindNode}. */
export const findNode: Definition<FindNode> = {
  kind: "request",
  answer: "nodes",
  hasBulk: false,
  read: (fields) => ({
    type: "find_node",
    target: nodeId(fields.bytes("target", { exact: NODE_ID_BYTES })),
    want: fields.uint("want", CAPABILITIES_MAX),
  }),
  write: ({ target, want }) => ({ target, want }),
};

/** `nodes`: see {@link Nodes}. */
export const nodes: Definition<Nodes> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "nodes",
    records: fields.list("records", BUCKET_PEERS_MAX, readNodeBytes),
  }),
  write: ({ records }) => ({ records }),
};

/** `find_value`: see {@link FindValue}. The field `skip` is left out when it is 0. */
export const findValue: Definition<FindValue> = {
  kind: "request",
  answer: "providers",
  hasBulk: false,
  read: (fields) => ({
    type: "find_value",
    tessera: tesseraId(fields.bytes("tessera", { exact: HASH_BYTES })),
    skip: fields.optionalUint("skip", POINTERS_MAX) ?? 0,
  }),
  write: ({ tessera, skip }) => ({
    tessera,
    skip: skip === 0 ? undefined : skip,
  }),
};

/** `providers`: see {@link Providers}. */
export const providers: Definition<Providers> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "providers",
    providers: fields.list("providers", PROVIDERS_PER_MESSAGE_MAX, readEntry),
    more: fields.uint("more", POINTERS_MAX),
    nodes: fields.list("nodes", BUCKET_PEERS_MAX, readNodeBytes),
  }),
  write: (message) => ({
    providers: message.providers.map(writeEntry),
    more: message.more,
    nodes: message.nodes,
  }),
};

/** `store`: see {@link Store}. */
export const store: Definition<Store> = {
  kind: "request",
  answer: "stored",
  hasBulk: false,
  read: (fields) => ({
    type: "store",
    entries: fields.list("entries", PROVIDERS_PER_MESSAGE_MAX, readEntry),
  }),
  write: ({ entries }) => ({ entries: entries.map(writeEntry) }),
};

/** `stored`: see {@link Stored}. */
export const stored: Definition<Stored> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "stored",
    accepted: fields.uint("accepted", PROVIDERS_PER_MESSAGE_MAX),
    refused: fields.uint("refused", PROVIDERS_PER_MESSAGE_MAX),
  }),
  write: ({ accepted, refused }) => ({ accepted, refused }),
};

function readNodeBytes(field: Field): Uint8Array {
  return field.bytes({ max: NODE_RECORD_BYTES_MAX });
}

function readEntry(field: Field): ProviderEntry {
  const fields = field.map();
  return {
    record: fields.bytes("record", { max: PROVIDER_RECORD_BYTES_MAX }),
    holder: fields.bytes("holder", { max: NODE_RECORD_BYTES_MAX }),
  };
}

function writeEntry({ record, holder }: ProviderEntry): Encodable {
  return { record, holder };
}
