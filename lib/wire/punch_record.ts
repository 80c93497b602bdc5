/** What two peers that cannot dial each other sign before they punch: who wants to meet whom, and where each may be knocked at. */
import type { Fields } from "@tesseras/codec";
import {
  type Address,
  formatAddress,
  type NodeId,
  nodeId,
} from "@tesseras/core";
import {
  MEETING_NONCE_BYTES,
  NODE_ID_BYTES,
  PUNCH_ADDRESSES_MAX,
} from "@tesseras/core/limits";
import { NAT_KINDS, type NatKind } from "@tesseras/nat";
import { readAddress } from "./addresses.ts";
import { type FreshForm, freshForm } from "./fresh_record.ts";

/** One side's part in a meeting. */
export type Meeting = {
  /** Whom the signer wants to meet, or agrees to meet. */
  readonly to: NodeId;
  /** 16 bytes drawn by who asks; who agrees repeats them. */
  readonly meeting: Uint8Array;
  /** Where the signer asks to be knocked at: as others see it, and inside its own network. Empty when it wants a relay alone. */
  readonly addresses: readonly Address[];
  readonly nat: NatKind;
};

/** Bytes of the longest name of a NAT kind, with room for those of newer peers. */
const NAT_BYTES_MAX = 16;

/** Signed by who asks: I want to meet you, and you may knock here. */
export const INTRODUCTION: FreshForm<Meeting> = meetingForm("introduction");

/** Signed by who is asked: I knock now where you said, and you may knock here. */
export const CONSENT: FreshForm<Meeting> = meetingForm("consent");

/** Two tags, so that nobody's wish passes for somebody's consent. */
function meetingForm(name: string): FreshForm<Meeting> {
  return freshForm(name, {
    write: ({ to, meeting, addresses, nat }) => ({
      to,
      meeting,
      addresses: addresses.map(formatAddress),
      nat,
    }),
    read: (fields) => ({
      to: nodeId(fields.bytes("to", { exact: NODE_ID_BYTES })),
      meeting: fields.bytes("meeting", { exact: MEETING_NONCE_BYTES }),
      addresses: fields.list("addresses", PUNCH_ADDRESSES_MAX, readAddress),
      nat: readNatKind(fields),
    }),
  });
}

/** A kind that only newer nodes know reads as `unknown`. @throws `malformed` */
export function readNatKind(fields: Fields): NatKind {
  const text = fields.text("nat", NAT_BYTES_MAX);
  return NAT_KINDS.find((kind) => kind === text) ?? "unknown";
}
