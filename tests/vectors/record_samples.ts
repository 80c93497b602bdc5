/** Signed records of deterministic keys. */
import { decode } from "@tesseras/codec";
import { concat, hash, tesseraId, toHex, utf8 } from "@tesseras/core";
import { ed25519KeyFromSeed, findNonce, nodeIdOf } from "@tesseras/crypto";
import type { NodeSigner } from "@tesseras/crypto";
import {
  CAPABILITIES,
  proofBytes,
  signNodeRecord,
  signProviderRecord,
} from "@tesseras/wire";
import { type Json, toJson, type ValidVector } from "./vector_file.ts";

/** What the records are judged by. */
export const RECORD_RULES = { nowMs: 1_800_000_000_000, powBits: 8 };

/** A signed thing, with what a stranger needs to make it again. */
export type RecordVector = ValidVector & {
  readonly kind: "node" | "provider" | "proof";
  /** Ed25519 secret of the signer in hexadecimal. */
  readonly seed: string;
  /** The signer's node id. */
  readonly id: string;
  /** The bytes the signature is over. */
  readonly signed: string;
};

const NODE_TAG = utf8("tesseras node record v1\n");
const PROVIDER_TAG = utf8("tesseras provider record v1\n");
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
  ];
}

function sample(
  kind: "node" | "provider",
  name: string,
  bytes: Uint8Array,
): RecordVector {
  const envelope = decode(bytes, LIMITS) as ReadonlyMap<string, Uint8Array>;
  const payload = envelope.get("p")!;
  const tag = kind === "node" ? NODE_TAG : PROVIDER_TAG;
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
