/** Meeting a peer that cannot be dialled: introductions over somebody who has a connection to both, and relays. */
import type { Encodable, Fields } from "@tesseras/codec";
import { type Address, formatAddress } from "@tesseras/core";
import {
  MEETING_BYTES_MAX,
  NODE_RECORD_BYTES_MAX,
  PUNCH_WAIT_MAX_MS,
} from "@tesseras/core/limits";
import { readAddress } from "./addresses.ts";
import type { Definition } from "./definition.ts";

/** A relay that has agreed to carry a pair: its signed node record, and the offer it signed for who asks. */
export type Rendezvous = {
  readonly relay: Uint8Array;
  readonly offer: Uint8Array;
};

/** Please introduce me to a peer you have a connection to. */
export type PunchIntro = {
  readonly type: "punch_intro";
  /** The asker's signed introduction, which names the peer. */
  readonly intro: Uint8Array;
  /** Where the two may meet when no punch gets through. */
  readonly rendezvous: Rendezvous | undefined;
};

/** Somebody wants to meet you: the introducer passes on what it signed. */
export type PunchRequest = {
  readonly type: "punch_request";
  readonly intro: Uint8Array;
  /** Where the introducer sees who signed it. */
  readonly observed: Address;
  /** Milliseconds to wait before the first knock, so that both begin together. */
  readonly waitMs: number;
  readonly rendezvous: Rendezvous | undefined;
};

/** I agree, and knock when the time has come. */
export type PunchAgreed = {
  readonly type: "punch_agreed";
  /** The signed consent. */
  readonly consent: Uint8Array;
};

/** The peer agrees: the introducer passes on what it signed. */
export type PunchReady = {
  readonly type: "punch_ready";
  readonly consent: Uint8Array;
  /** Where the introducer sees the peer. */
  readonly observed: Address;
  readonly waitMs: number;
};

/** Please carry what I exchange with a peer. Asked again for the same pair, it changes nothing and tells how things stand. */
export type RelayRequest = {
  readonly type: "relay_request";
  readonly request: Uint8Array;
};

/** Where to send, and how much. */
export type RelayOffered = {
  readonly type: "relay_offer";
  /** The signed grant. */
  readonly offer: Uint8Array;
};

/** My packets come from elsewhere now. */
export type RelayMigrate = {
  readonly type: "relay_migrate";
  readonly migration: Uint8Array;
};

/** The session ends: said by a peer or by the relay. */
export type RelayClose = {
  readonly type: "relay_close";
  readonly end: Uint8Array;
};

/** It has ended, or is about to. */
export type RelayClosed = { readonly type: "relay_closed" };

/** `punch_intro`: see {@link PunchIntro}. */
export const punchIntro: Definition<PunchIntro> = {
  kind: "request",
  answer: "punch_ready",
  hasBulk: false,
  read: (fields) => ({
    type: "punch_intro",
    intro: readSigned(fields, "intro"),
    rendezvous: readRendezvous(fields),
  }),
  write: ({ intro, rendezvous }) => ({
    intro,
    rendezvous: writeRendezvous(rendezvous),
  }),
};

/** `punch_request`: see {@link PunchRequest}. */
export const punchRequest: Definition<PunchRequest> = {
  kind: "request",
  answer: "punch_agreed",
  hasBulk: false,
  read: (fields) => ({
    type: "punch_request",
    intro: readSigned(fields, "intro"),
    observed: readAddress(fields.at("observed")),
    waitMs: fields.uint("wait", PUNCH_WAIT_MAX_MS),
    rendezvous: readRendezvous(fields),
  }),
  write: ({ intro, observed, waitMs, rendezvous }) => ({
    intro,
    observed: formatAddress(observed),
    wait: waitMs,
    rendezvous: writeRendezvous(rendezvous),
  }),
};

/** `punch_agreed`: see {@link PunchAgreed}. */
export const punchAgreed: Definition<PunchAgreed> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "punch_agreed",
    consent: readSigned(fields, "consent"),
  }),
  write: ({ consent }) => ({ consent }),
};

/** `punch_ready`: see {@link PunchReady}. */
export const punchReady: Definition<PunchReady> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "punch_ready",
    consent: readSigned(fields, "consent"),
    observed: readAddress(fields.at("observed")),
    waitMs: fields.uint("wait", PUNCH_WAIT_MAX_MS),
  }),
  write: ({ consent, observed, waitMs }) => ({
    consent,
    observed: formatAddress(observed),
    wait: waitMs,
  }),
};

/** `relay_request`: see {@link RelayRequest}. */
export const relayRequest: Definition<RelayRequest> = {
  kind: "request",
  answer: "relay_offer",
  hasBulk: false,
  read: (fields) => ({
    type: "relay_request",
    request: readSigned(fields, "request"),
  }),
  write: ({ request }) => ({ request }),
};

/** `relay_offer`: see {@link RelayOffered}. */
export const relayOffer: Definition<RelayOffered> = {
  kind: "response",
  hasBulk: false,
  read: (fields) => ({
    type: "relay_offer",
    offer: readSigned(fields, "offer"),
  }),
  write: ({ offer }) => ({ offer }),
};

/** `relay_migrate`: see {@link RelayMigrate}. */
export const relayMigrate: Definition<RelayMigrate> = {
  kind: "request",
  answer: "relay_offer",
  hasBulk: false,
  read: (fields) => ({
    type: "relay_migrate",
    migration: readSigned(fields, "migration"),
  }),
  write: ({ migration }) => ({ migration }),
};

/** `relay_close`: see {@link RelayClose}. */
export const relayClose: Definition<RelayClose> = {
  kind: "request",
  answer: "relay_closed",
  hasBulk: false,
  read: (fields) => ({ type: "relay_close", end: readSigned(fields, "end") }),
  write: ({ end }) => ({ end }),
};

/** `relay_closed`: see {@link RelayClosed}. */
export const relayClosed: Definition<RelayClosed> = {
  kind: "response",
  hasBulk: false,
  read: () => ({ type: "relay_closed" }),
  write: () => ({}),
};

function readSigned(fields: Fields, name: string): Uint8Array {
  return fields.bytes(name, { max: MEETING_BYTES_MAX });
}

function readRendezvous(fields: Fields): Rendezvous | undefined {
  const map = fields.optionalMap("rendezvous");
  return map && {
    relay: map.bytes("relay", { max: NODE_RECORD_BYTES_MAX }),
    offer: readSigned(map, "offer"),
  };
}

function writeRendezvous(
  rendezvous: Rendezvous | undefined,
): Encodable | undefined {
  return rendezvous && { relay: rendezvous.relay, offer: rendezvous.offer };
}
