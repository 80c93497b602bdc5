/** What peers and relays sign to each other: a wish, what is granted, a move, an end. */
import {
  type Address,
  formatAddress,
  type NodeId,
  nodeId,
} from "@tesseras/core";
import { MEETING_NONCE_BYTES, NODE_ID_BYTES } from "@tesseras/core/limits";
import type { Field, Fields } from "@tesseras/codec";
import { readAddress } from "./addresses.ts";
import { type FreshForm, freshForm } from "./fresh_record.ts";

/** Signed by a peer: relay what I exchange with that one. Both ask, each for itself, so nobody is sent what it did not ask for. */
export type RelayWanted = {
  /** The relay it is meant for. */
  readonly relay: NodeId;
  /** Whom to reach. */
  readonly peer: NodeId;
};

/** Signed by a relay: this is where each of the two sends, and how much. */
export type RelayGranted = {
  /** 16 bytes that name the session. */
  readonly session: Uint8Array;
  /** The peer that asked, and the one it asked for. */
  readonly to: NodeId;
  readonly peer: NodeId;
  /** Where packets for `peer` are sent by `to`. */
  readonly address: Address;
  /** Bytes a second that are forwarded each way. */
  readonly bytesPerSecond: number;
  /** Milliseconds until it ends whatever happens; `undefined` for as long as it is used. */
  readonly lastsMs: number | undefined;
};

/** Signed by a peer: my packets come from elsewhere now, namely from where this does. */
export type RelayMoved = {
  readonly relay: NodeId;
  readonly session: Uint8Array;
};

/** Why a session ends. A reason that only newer nodes know reads as `closed`. */
export const RELAY_ENDS = [
  "closed",
  "direct",
  "idle",
  "time",
  "volume",
  "draining",
] as const;

/** See {@link RELAY_ENDS}. `draining` announces the end: both peers are to meet elsewhere within `graceMs`. */
export type RelayEnd = typeof RELAY_ENDS[number];

/** Signed by a peer or the relay, to the other: the session ends. */
export type RelayEnded = {
  readonly to: NodeId;
  readonly session: Uint8Array;
  readonly why: RelayEnd;
  /** Milliseconds for which packets are still forwarded. */
  readonly graceMs: number;
};

/** Bytes of the longest reason, with room for those of newer peers. */
const WHY_BYTES_MAX = 16;
/** The most a grant may promise: a gigabyte a second, and a week. */
const RATE_MAX = 1_000_000_000;
const LASTS_MS_MAX = 7 * 86_400_000;
/** The longest grace: no process waits for longer before it ends. */
const GRACE_MS_MAX = 60_000;

/** See {@link RelayWanted}. */
export const RELAY_WANTED: FreshForm<RelayWanted> = freshForm("relay request", {
  write: ({ relay, peer }) => ({ relay, peer }),
  read: (fields) => ({
    relay: readId(fields.at("relay")),
    peer: readId(fields.at("peer")),
  }),
});

/** See {@link RelayGranted}. */
export const RELAY_GRANTED: FreshForm<RelayGranted> = freshForm("relay offer", {
  write: (granted) => ({
    session: granted.session,
    to: granted.to,
    peer: granted.peer,
    address: formatAddress(granted.address),
    rate: granted.bytesPerSecond,
    lasts: granted.lastsMs,
  }),
  read: (fields) => ({
    session: readSession(fields),
    to: readId(fields.at("to")),
    peer: readId(fields.at("peer")),
    address: readAddress(fields.at("address")),
    bytesPerSecond: fields.uint("rate", RATE_MAX),
    lastsMs: fields.optionalUint("lasts", LASTS_MS_MAX),
  }),
});

/** See {@link RelayMoved}. */
export const RELAY_MOVED: FreshForm<RelayMoved> = freshForm("relay migration", {
  write: ({ relay, session }) => ({ relay, session }),
  read: (fields) => ({
    relay: readId(fields.at("relay")),
    session: readSession(fields),
  }),
});

/** See {@link RelayEnded}. */
export const RELAY_ENDED: FreshForm<RelayEnded> = freshForm("relay end", {
  write: ({ to, session, why, graceMs }) => ({
    to,
    session,
    why,
    grace: graceMs,
  }),
  read: (fields) => ({
    to: readId(fields.at("to")),
    session: readSession(fields),
    why: readWhy(fields),
    graceMs: fields.uint("grace", GRACE_MS_MAX),
  }),
});

function readId(field: Field): NodeId {
  return nodeId(field.bytes({ exact: NODE_ID_BYTES }));
}

function readSession(fields: Fields): Uint8Array {
  return fields.bytes("session", { exact: MEETING_NONCE_BYTES });
}

function readWhy(fields: Fields): RelayEnd {
  const text = fields.text("why", WHY_BYTES_MAX);
  return RELAY_ENDS.find((why) => why === text) ?? "closed";
}
