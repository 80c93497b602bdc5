/** The readers of `lib/codec` and `lib/wire`. */
import { decode, encode } from "@tesseras/codec";
import { concat, fromHex, utf8 } from "@tesseras/core";
import {
  LENGTH_BYTES,
  MESSAGE_BYTES_MAX,
  MESSAGE_DEPTH_MAX,
  MESSAGE_ITEMS_MAX,
} from "@tesseras/core/limits";
import {
  decodeMessage,
  encodeFrame,
  frameLength,
  readNodeRecord,
  readProviderRecord,
} from "@tesseras/wire";
import {
  FRESH_FORMS,
  type FreshKind,
  readFreshKind,
  RECORD_RULES,
  type RecordVector,
  sampleSigner,
  tagOf,
} from "@tesseras/testing/record-samples";
import { loadVectors } from "@tesseras/testing/vectors";
import type { FuzzTarget } from "./target.ts";

const LIMITS = {
  bytesMax: MESSAGE_BYTES_MAX,
  depthMax: MESSAGE_DEPTH_MAX,
  itemsMax: MESSAGE_ITEMS_MAX,
};
const FRESH_KINDS = Object.keys(FRESH_FORMS) as readonly FreshKind[];
const RECORD_CODES = ["malformed", "forged", "refused"] as const;

/** The targets, with the vectors as corpus. */
export async function wireTargets(): Promise<readonly FuzzTarget[]> {
  const msgpack = await corpusOf("msgpack");
  const frames = await corpusOf("messages");
  const { valid, invalid } = await loadVectors<RecordVector>("records");
  const bytesOf = (kind: string) =>
    [...valid, ...invalid as unknown as readonly RecordVector[]]
      .filter((vector) => vector.kind === kind)
      .map(({ hex }) => fromHex(hex));
  const payloadsOf = (kind: string) =>
    valid.filter((vector) => vector.kind === kind).map(({ signed }) => {
      const bytes = fromHex(signed);
      return bytes.slice(bytes.indexOf(0x0a) + 1);
    });
  return [
    {
      name: "codec/decode",
      corpus: msgpack,
      refuses: ["malformed"],
      isExact: true,
      rewrite: (bytes) => encode(decode(bytes, LIMITS)),
    },
    {
      name: "wire/decodeMessage",
      corpus: frames.map((frame) => frame.slice(LENGTH_BYTES)),
      refuses: ["malformed"],
      isExact: false,
      rewrite: (bytes) =>
        encodeFrame(decodeMessage(bytes)).subarray(LENGTH_BYTES),
    },
    {
      name: "wire/frameLength",
      corpus: frames.map((frame) => frame.slice(0, LENGTH_BYTES)),
      refuses: ["malformed"],
      isExact: true,
      rewrite(bytes) {
        const prefix = new Uint8Array(LENGTH_BYTES);
        new DataView(prefix.buffer).setUint32(0, frameLength(bytes));
        return prefix;
      },
    },
    {
      name: "wire/readNodeRecord",
      corpus: bytesOf("node"),
      refuses: RECORD_CODES,
      isExact: true,
      rewrite: (bytes) => readNodeRecord(bytes, RECORD_RULES).bytes,
    },
    {
      name: "wire/readProviderRecord",
      corpus: bytesOf("provider"),
      refuses: RECORD_CODES,
      isExact: true,
      rewrite: (bytes) => readProviderRecord(bytes, RECORD_RULES).bytes,
    },
    signedTarget("node", payloadsOf("node")),
    signedTarget("provider", payloadsOf("provider")),
    ...FRESH_KINDS.flatMap((kind) => [
      {
        name: `wire/readFresh ${kind}`,
        corpus: bytesOf(kind),
        refuses: RECORD_CODES,
        isExact: true,
        rewrite: (bytes: Uint8Array) => readFreshKind(kind, bytes)!.bytes,
      },
      signedTarget(kind, payloadsOf(kind)),
    ]),
  ];
}

/** Payloads signed properly, so that mutations get past the signature to what stands behind it. */
function signedTarget(
  kind: "node" | "provider" | FreshKind,
  corpus: readonly Uint8Array[],
): FuzzTarget {
  const signer = sampleSigner(1);
  const tag = utf8(tagOf(kind));
  const read = (bytes: Uint8Array): { readonly bytes: Uint8Array } => {
    if (kind === "node") return readNodeRecord(bytes, RECORD_RULES);
    if (kind === "provider") return readProviderRecord(bytes, RECORD_RULES);
    return readFreshKind(kind, bytes)!;
  };
  return {
    name: `wire/signed ${kind} payload`,
    corpus,
    refuses: RECORD_CODES,
    isExact: true,
    rewrite(payload) {
      const s = signer.sign(concat([tag, payload]));
      const record = encode({ p: payload, s });
      const { bytes } = read(record);
      // What follows the payload is its signature: 2 bytes of name, 2 of length, 64 of bytes.
      const end = bytes.length - 68;
      return bytes.slice(end - payload.length, end);
    },
  };
}

async function corpusOf(name: string): Promise<readonly Uint8Array[]> {
  const { valid, invalid } = await loadVectors(name);
  return [...valid, ...invalid].map(({ hex }) => fromHex(hex));
}
