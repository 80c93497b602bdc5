/** Signed records of deterministic keys. */
import { decode } from "@tesseras/codec";
import { concat, hash, tesseraId, toHex, utf8 } from "@tesseras/core";
import { ed25519KeyFromSeed, findNonce, nodeIdOf } from "@tesseras/crypto";
import type { NodeSigner } from "@tesseras/crypto";
import {
  CAPABILITIES,
  CONSENT,
  type FreshForm,
  INTRODUCTION,
  proofBytes,
  readFresh,
  RELAY_ENDED,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
  signFresh,
  signNodeRecord,
  signProviderRecord,
  type Stamp,
} from "@tesseras/wire";
import { type Json, toJson, type ValidVector } from "./vector_file.ts";

/** What the records are judged by. */
export const RECORD_RULES = { nowMs: 1_800_000_000_000, powBits: 8 };

/** The forms of what is good for half a minute, by the kind of their vectors. */
export const FRESH_FORMS = {
  introduction: INTRODUCTION,
  consent: CONSENT,
  "relay request": RELAY_WANTED,
  "relay offer": RELAY_GRANTED,
  "relay migration": RELAY_MOVED,
  "relay end": RELAY_ENDED,
} as const;

/** See {@link FRESH_FORMS}. */
export type FreshKind = keyof typeof FRESH_FORMS;

/** Checks a vector of such a kind; `undefined` when it is of another. */
export function readFreshKind(
  kind: string,
  bytes: Uint8Array,
): Stamp & { readonly bytes: Uint8Array } | undefined {
  if (!Object.hasOwn(FRESH_FORMS, kind)) return undefined;
  // What the forms read differs; that they read is all that is needed here.
  const form = FRESH_FORMS[kind as FreshKind] as FreshForm<object>;
  return readFresh(form, bytes, RECORD_RULES);
}

/** A signed thing, with what a stranger needs to make it again. */
export type RecordVector = ValidVector & {
  readonly kind: "node" | "provider" | "proof" | FreshKind;
  /** Ed25519 secret of the signer in hexadecimal. */
  readonly seed: string;
  /** The signer's node id. */
  readonly id: string;
  /** The bytes the signature is over. */
  readonly signed: string;
};

const LIMITS = { bytesMax: 1024, depthMax: 3, itemsMax: 256 };
const NOW = RECORD_RULES.nowMs;

/** The node whose Ed25519 seed is 32 times the byte, with the least nonce that has 8 bits of work. */
export function sampleSigner(byte: number): NodeSigner {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(byte));
  const range = { from: 0n, attempts: 1 << 20 };
  const powNonce = findNonce(key.publicKey, RECORD_RULES.powBits, range)!;
  return { ...key, powNonce, id: nodeIdOf(key.publicKey, powNonce) };
}

/** The records and the proof. */
export function recordSamples(): readonly RecordVector[] {
  const signer = sampleSigner(1);
  const times = { sequence: NOW, expiresAtMs: NOW + 3_600_000 };
  const plain = signNodeRecord({
    addresses: [{ ip: "192.0.2.7", port: 4433 }],
    capabilities: CAPABILITIES.DHT | CAPABILITIES.STORAGE,
    nat: "public",
    ...times,
  }, signer);
  const full = signNodeRecord({
    addresses: [
      { ip: "2001:db8::7", port: 4433 },
      { ip: "198.51.100.9", port: 50000 },
    ],
    capabilities: 0xffff_ffff,
    nat: "cone",
    relay: {
      address: { ip: "192.0.2.9", port: 3478 },
      freeSlots: 50,
      kilobytesPerSecond: 256,
    },
    ...times,
  }, signer);
  const bare = signNodeRecord({
    addresses: [],
    capabilities: 0,
    nat: "unknown",
    sequence: NOW - 1,
    expiresAtMs: NOW + 1,
  }, signer);
  const provider = signProviderRecord({
    tesseraId: tesseraId(new Uint8Array(32).fill(0x66)),
    planHash: hash(new Uint8Array(32).fill(0x88)),
    indices: [0, 7, 71],
    ...times,
  }, signer);
  return [
    sample("node", "node record with one address", plain.bytes),
    sample("node", "node record with everything", full.bytes),
    sample("node", "node record of a node nobody can dial", bare.bytes),
    sample("provider", "provider record", provider.bytes),
    proofSample(signer),
    ...freshSamples(signer),
  ];
}

/** The signer has seed 1, the peer seed 2, the relay, where it is another, seed 3. */
function freshSamples(signer: NodeSigner): readonly RecordVector[] {
  const said = { signer, nowMs: NOW };
  const [peer, relay] = [sampleSigner(2).id, sampleSigner(3).id];
  const session = new Uint8Array(16).fill(0xbb);
  const meeting = { to: peer, meeting: new Uint8Array(16).fill(0xcc) };
  const outer = { ip: "192.0.2.7", port: 40_000 };
  const inner = { ip: "192.168.1.7", port: 4433 };
  const introduction = signFresh(INTRODUCTION, {
    ...meeting,
    addresses: [outer, inner],
    nat: "cone",
  }, said);
  const relayOnly = signFresh(INTRODUCTION, {
    ...meeting,
    addresses: [],
    nat: "symmetric",
  }, said);
  const consent = signFresh(CONSENT, {
    ...meeting,
    addresses: [outer],
    nat: "unknown",
  }, said);
  const wanted = signFresh(RELAY_WANTED, { relay, peer }, said);
  const granted = { session, to: peer, peer: relay, address: outer };
  const lasting = { ...granted, bytesPerSecond: 262_144, lastsMs: undefined };
  const short = { ...granted, bytesPerSecond: 65_536, lastsMs: 600_000 };
  const offer = signFresh(RELAY_GRANTED, lasting, said);
  const offerOfTenMinutes = signFresh(RELAY_GRANTED, short, said);
  const moved = signFresh(RELAY_MOVED, { relay, session }, said);
  const ended = signFresh(RELAY_ENDED, {
    to: peer,
    session,
    why: "draining",
    graceMs: 5_000,
  }, said);
  return [
    sample("introduction", "introduction", introduction.bytes),
    sample("introduction", "introduction to a relay alone", relayOnly.bytes),
    sample("consent", "consent", consent.bytes),
    sample("relay request", "relay request", wanted.bytes),
    sample("relay offer", "relay offer", offer.bytes),
    sample("relay offer", "relay offer of ten minutes", offerOfTenMinutes.bytes),
    sample("relay migration", "relay migration", moved.bytes),
    sample("relay end", "relay end", ended.bytes),
  ];
}

function sample(
  kind: Exclude<RecordVector["kind"], "proof">,
  name: string,
  bytes: Uint8Array,
): RecordVector {
  const envelope = decode(bytes, LIMITS) as ReadonlyMap<string, Uint8Array>;
  const payload = envelope.get("p")!;
  const tag = utf8(tagOf(kind));
  return {
    name,
    kind,
    seed: toHex(new Uint8Array(32).fill(1)),
    id: toHex(sampleSigner(1).id),
    signed: toHex(concat([tag, payload])),
    hex: toHex(bytes),
    value: toJson(decode(payload, LIMITS)),
  };
}

/** What a record of this kind is signed under. */
export function tagOf(kind: Exclude<RecordVector["kind"], "proof">): string {
  const isLasting = kind === "node" || kind === "provider";
  return `tesseras ${isLasting ? `${kind} record` : kind} v1\n`;
}

/** The dialer has seed 1, the answerer seed 2. Here `hex` is the signature. */
function proofSample(dialer: NodeSigner): RecordVector {
  const answerer = sampleSigner(2);
  const nonce = new Uint8Array(32).fill(0x11);
  const signed = proofBytes(nonce, answerer.id, dialer.id);
  const value: Json = {
    nonce: toHex(nonce),
    answerer: toHex(answerer.id),
    dialer: toHex(dialer.id),
  };
  return {
    name: "proof of a hello",
    kind: "proof",
    seed: toHex(new Uint8Array(32).fill(1)),
    id: toHex(dialer.id),
    signed: toHex(signed),
    hex: toHex(dialer.sign(signed)),
    value,
  };
}
