/** One example of every message, and some at their edges. */
import { hash, nodeId, tesseraId } from "@tesseras/core";
import type { Envelope, Message } from "@tesseras/wire";

/** An envelope and what it shows. */
export type MessageSample = {
  readonly name: string;
  readonly envelope: Envelope;
};

const NONCE = filled(32, 0x11);
const RECORD = filled(40, 0x22);
const HOLDER = filled(40, 0x33);
const SIGNED = filled(60, 0xaa);
const OBSERVED = { ip: "192.0.2.7", port: 4433 };

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

/** The examples. Records inside are fill bytes: a frame's reader does not open them. */
export function messageSamples(): readonly MessageSample[] {
  const bodies: readonly (readonly [string, Message])[] = [
    ["challenge", {
      type: "challenge",
      nonce: NONCE,
      record: RECORD,
      observed: OBSERVED,
    }],
    ["proof", { type: "proof", record: RECORD, signature: filled(64, 0x44) }],
    ["ping", { type: "ping" }],
    ["pong over IPv6", {
      type: "pong",
      record: RECORD,
      observed: { ip: "2001:db8::7", port: 65535 },
    }],
    ["find_node for any node", {
      type: "find_node",
      target: nodeId(filled(20, 0x55)),
      want: 0,
    }],
    ["find_node for storage", {
      type: "find_node",
      target: nodeId(filled(20, 0x55)),
      want: 2,
    }],
    ["nodes, none", { type: "nodes", records: [] }],
    ["nodes, two", { type: "nodes", records: [RECORD, HOLDER] }],
    ["find_value from the start", {
      type: "find_value",
      tessera: tesseraId(filled(32, 0x66)),
      skip: 0,
    }],
    ["find_value further on", {
      type: "find_value",
      tessera: tesseraId(filled(32, 0x66)),
      skip: 20,
    }],
    ["providers", {
      type: "providers",
      providers: [{ record: RECORD, holder: HOLDER }],
      more: 3,
      nodes: [HOLDER],
    }],
    ["store", { type: "store", entries: [{ record: RECORD, holder: HOLDER }] }],
    ["stored", { type: "stored", accepted: 1, refused: 0 }],
    ["put_fragment, followed by 3 octets of bulk", {
      type: "put_fragment",
      plan: filled(50, 0x77),
      index: 71,
      bulk: 3,
    }],
    ["kept", { type: "kept", provider: RECORD }],
    ["get_fragment", {
      type: "get_fragment",
      plan: hash(filled(32, 0x88)),
      index: 0,
      offset: 65536,
      length: 300,
    }],
    ["fragment, followed by 300 octets of bulk", {
      type: "fragment",
      bulk: 300,
    }],
    ["get_plan", { type: "get_plan", plan: hash(filled(32, 0x88)) }],
    ["plan", { type: "plan", plan: filled(50, 0x77) }],
    ["error", { type: "error", code: "absent", text: "Cannot find plan" }],
    ["put_fragment of a holder who repairs, followed by 3 octets of bulk", {
      type: "put_fragment",
      plan: filled(50, 0x77),
      index: 71,
      bulk: 3,
      repair: RECORD,
    }],
    ["attest", { type: "attest", plan: hash(filled(32, 0x88)) }],
    ["audit of one leaf", {
      type: "audit",
      plan: hash(filled(32, 0x88)),
      index: 71,
      leaves: [0],
    }],
    ["audit of sixteen leaves, up to the last there can be", {
      type: "audit",
      plan: hash(filled(32, 0x88)),
      index: 0,
      leaves: Array.from({ length: 16 }, (_, at) => 32_767 - 15 + at),
    }],
    ["audited, followed by 1536 octets of bulk", {
      type: "audited",
      bulk: 1_536,
    }],
    ["forget", { type: "forget", tombstone: filled(50, 0x99) }],
    ["forgotten", { type: "forgotten", count: 24 }],
    ["punch_intro", {
      type: "punch_intro",
      intro: SIGNED,
      rendezvous: undefined,
    }],
    ["punch_intro to a relay", {
      type: "punch_intro",
      intro: SIGNED,
      rendezvous: { relay: RECORD, offer: SIGNED },
    }],
    ["punch_ready", {
      type: "punch_ready",
      consent: SIGNED,
      observed: OBSERVED,
      waitMs: 7,
    }],
    ["punch_request to a relay", {
      type: "punch_request",
      intro: SIGNED,
      observed: { ip: "2001:db8::7", port: 65535 },
      waitMs: 2000,
      rendezvous: { relay: RECORD, offer: SIGNED },
    }],
    ["punch_agreed", { type: "punch_agreed", consent: SIGNED }],
    ["relay_request", { type: "relay_request", request: SIGNED }],
    ["relay_offer", { type: "relay_offer", offer: SIGNED }],
    ["relay_migrate", { type: "relay_migrate", migration: SIGNED }],
    ["relay_close", { type: "relay_close", end: SIGNED }],
    ["relay_closed", { type: "relay_closed" }],
  ];
  const samples = bodies.map(([name, body], index) => ({
    name,
    envelope: { v: 1, id: index, body },
  }));
  const ping: Message = { type: "ping" };
  return [...samples, {
    name: "ping with the largest id",
    envelope: { v: 1, id: 0xffff_ffff, body: ping },
  }];
}
