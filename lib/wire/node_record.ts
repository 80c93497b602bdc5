/** The node record: the only thing that is passed around about a node, signed by the node itself. */
import {
  type Address,
  formatAddress,
  type NodeId,
  subnetOf,
} from "@tesseras/core";
import {
  ADDRESSES_MAX,
  NODE_RECORD_BYTES_MAX,
  NODE_RECORD_TTL_MS,
} from "@tesseras/core/limits";
import type { NodeSigner } from "@tesseras/crypto";
import type { Fields } from "@tesseras/codec";
import type { NatKind } from "@tesseras/nat";
import { readAddress } from "./addresses.ts";
import { CAPABILITIES_MAX } from "./capabilities.ts";
import { readNatKind } from "./punch_record.ts";
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

/** Forwarding that a node offers to peers behind NATs. */
export type RelayOffer = {
  readonly address: Address;
  /** Sessions it would still take. */
  readonly freeSlots: number;
  /** What it forwards for one session. */
  readonly kilobytesPerSecond: number;
};

/** What a node says about itself. */
export type NodeRecordFields = {
  /** Where it answers, best first; empty for a node that can only be reached over its own connections. */
  readonly addresses: readonly Address[];
  /** Bits of `CAPABILITIES`. */
  readonly capabilities: number;
  readonly nat: NatKind;
  readonly relay?: RelayOffer | undefined;
  /** Unix milliseconds of signing, and more than in the record before. */
  readonly sequence: number;
  /** Unix milliseconds, at most a day after `sequence`. */
  readonly expiresAtMs: number;
};

/** A node record that was checked. */
export type NodeRecord = NodeRecordFields & {
  readonly id: NodeId;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly powNonce: bigint;
  /** The network of the first address, for diversity rules; `undefined` without addresses. */
  readonly subnet: string | undefined;
  /** The signed record as it travels. */
  readonly bytes: Uint8Array;
};

const KIND: RecordKind = {
  name: "node record",
  tag: "tesseras node record v1\n",
  bytesMax: NODE_RECORD_BYTES_MAX,
  ttlMs: NODE_RECORD_TTL_MS,
};

/** The most a relay offer may claim, in sessions and in kilobytes a second. */
const RELAY_SLOTS_MAX = 0xffff;
const RELAY_RATE_MAX = 0xffff_ffff;

/**
 * Signs what a node says about itself.
 *
 * @throws `malformed` when no reader would accept it: over a limit, or an address of no single host
 */
export function signNodeRecord(
  fields: NodeRecordFields,
  signer: NodeSigner,
): NodeRecord {
  const { relay } = fields;
  const bytes = sealRecord(KIND, {
    addresses: fields.addresses.map(formatAddress),
    capabilities: fields.capabilities,
    nat: fields.nat,
    relay: relay && {
      address: formatAddress(relay.address),
      slots: relay.freeSlots,
      rate: relay.kilobytesPerSecond,
    },
    ...stampFields(signer, fields),
  }, signer);
  return parse(bytes, openRecord(KIND, bytes));
}

/**
 * Reads and checks a node record. Borrows the bytes.
 *
 * @throws `malformed`; `forged` when the work is too small or the signature does not fit; `refused` when it has expired or
 *   comes from the future
 */
export function readNodeRecord(
  bytes: Uint8Array,
  rules: RecordRules,
): NodeRecord {
  const opened = openRecord(KIND, bytes);
  const record = parse(bytes.slice(), opened);
  checkNodeRecordFresh(record, rules.nowMs);
  verifyRecord(KIND, opened, record, rules.powBits);
  return record;
}

/** Checks the times of a record that was read before. @throws `refused` */
export function checkNodeRecordFresh(record: NodeRecord, nowMs: number): void {
  checkFresh(KIND.name, record, nowMs);
}

/** Checks shape and limits, and keeps `bytes`. */
function parse(bytes: Uint8Array, { fields }: Opened): NodeRecord {
  const addresses = fields.list("addresses", ADDRESSES_MAX, readAddress);
  const first = addresses[0];
  return {
    ...readStamp(KIND, fields),
    addresses,
    capabilities: fields.uint("capabilities", CAPABILITIES_MAX),
    nat: readNatKind(fields),
    relay: readRelay(fields.optionalMap("relay")),
    subnet: first && subnetOf(first.ip),
    bytes,
  };
}

function readRelay(fields: Fields | undefined): RelayOffer | undefined {
  if (fields === undefined) return undefined;
  return {
    address: readAddress(fields.at("address")),
    freeSlots: fields.uint("slots", RELAY_SLOTS_MAX),
    kilobytesPerSecond: fields.uint("rate", RELAY_RATE_MAX),
  };
}
