/** What verifies that somebody has content: ranges and kept trees of its BLAKE3 hash, audits, and the words of holders. */
import { decode, encode } from "@tesseras/codec";
import {
  concat,
  equal,
  SeededRandom,
  TesserasError,
  utf8,
} from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import {
  type ByteRange,
  type ContentShape,
  HashTree,
  HashTreeBuilder,
  type NodeSigner,
  RangeStream,
  VerifiedRange,
  wholeGroups,
} from "@tesseras/crypto";
import { attest, audit, type Node } from "@tesseras/node";
import { assertTrue } from "@tesseras/testing";
import { never, World } from "@tesseras/testing/sim";
import { signProviderRecord } from "@tesseras/wire";
import {
  audited,
  prover,
  type Sample,
  sampleOf,
} from "../../lib/node/audit_for_tests.ts";
import type { FuzzTarget } from "./target.ts";

/** The targets; those of nodes ask one that answers itself, with whatever the fuzzer says. */
export async function proofTargets(): Promise<readonly FuzzTarget[]> {
  return [rangeTarget(), treeTarget(), ...await holderTargets()];
}

/** Content of more groups than one, of which the last is not whole. */
const CONTENT = new SeededRandom(3).bytes(21 * KIB + 77);
/** Four numbers of a claim, and the length of its proof. */
const CLAIM_BYTES = 4 * 8 + 4;

/** A claim as bytes: its shape and range, its proof, and the octets that it is to prove. */
function claimBytes(
  { totalBytes, groupBytes = 0 }: ContentShape,
  { offset, bytes }: ByteRange,
  parts: { readonly proof: Uint8Array; readonly octets: Uint8Array },
): Uint8Array {
  const head = new DataView(new ArrayBuffer(CLAIM_BYTES));
  for (const [at, value] of [totalBytes, groupBytes, offset, bytes].entries()) {
    head.setFloat64(8 * at, value);
  }
  head.setUint32(4 * 8, parts.proof.length);
  return concat([new Uint8Array(head.buffer), parts.proof, parts.octets]);
}

/** Whatever is claimed of shape and range: octets that pass are those of the content, where they are said to lie. */
function rangeTarget(): FuzzTarget {
  const { hash } = new HashTreeBuilder({ totalBytes: CONTENT.length })
    .update(CONTENT).finish();
  const ranges = [[0, 1], [5_000, 9_000], [20 * KIB, KIB], [0, CONTENT.length]];
  const corpus = [1, 4, 16, 64].flatMap((kib) => {
    const shape = { totalBytes: CONTENT.length, groupBytes: kib * KIB };
    const tree = new HashTreeBuilder(shape).update(CONTENT).finish();
    return ranges.map(([offset, bytes]) => {
      const range = { offset: offset!, bytes: bytes! };
      const whole = wholeGroups(shape, range);
      const octets = CONTENT.slice(whole.offset, whole.offset + whole.bytes);
      return claimBytes(shape, range, { proof: tree.prove(range), octets });
    });
  });
  return {
    name: "crypto/VerifiedRange",
    corpus,
    refuses: ["malformed", "forged", "corrupt"],
    isExact: true,
    rewrite(bytes) {
      if (bytes.length < CLAIM_BYTES) throw tooShort(bytes);
      const head = new DataView(bytes.buffer, bytes.byteOffset, CLAIM_BYTES);
      const number = (at: number) => head.getFloat64(8 * at);
      const shape = { totalBytes: number(0), groupBytes: number(1) };
      const range = { offset: number(2), bytes: number(3) };
      const octetsAt = CLAIM_BYTES + head.getUint32(4 * 8);
      const proof = bytes.subarray(CLAIM_BYTES, octetsAt);
      const octets = bytes.subarray(octetsAt);
      const verified = new VerifiedRange({ hash, shape, range, proof });
      const stream = new RangeStream(verified);
      for (let at = 0; at < octets.length;) {
        const end = at + 1 + (at * 7 & 0xfff);
        stream.update(octets.subarray(at, end));
        at = end;
      }
      stream.finish();
      const { offset, bytes: length } = verified.range;
      if (!equal(octets, CONTENT.subarray(offset, offset + length))) {
        throw new RangeError(`octets at ${offset} that are not the content's`);
      }
      return bytes;
    },
  };
}

/** A tree that was kept: whatever became of its values, what they prove leads to the hash they make. */
function treeTarget(): FuzzTarget {
  const shape = { totalBytes: CONTENT.length, groupBytes: KIB };
  const range = { offset: 5_000, bytes: 2_000 };
  const { values } = new HashTreeBuilder(shape).update(CONTENT).finish();
  return {
    name: "crypto/HashTree",
    corpus: [values, values.slice(0, 32)],
    refuses: ["malformed"],
    isExact: true,
    rewrite(bytes) {
      const tree = new HashTree(shape, bytes.slice());
      const { hash, values } = tree;
      new VerifiedRange({ hash, shape, range, proof: tree.prove(range) });
      return values;
    },
  };
}

/** Fewer leaves than an audit asks for, so that it asks for all and there is one right answer. */
const AUDITED_BYTES = 6 * KIB + 100;

async function holderTargets(): Promise<readonly FuzzTarget[]> {
  const world = new World(1);
  const identity = await world.identity();
  const sample = sampleOf(AUDITED_BYTES);
  let said: Uint8Array = new Uint8Array();
  const { node } = await world.add([], {
    identity,
    change: () => [{
      name: "liar",
      capabilities: 0,
      handlers: {
        audit: () => Promise.resolve(audited(said)),
        attest: () =>
          Promise.resolve({ response: { type: "kept", provider: said } }),
      },
    }],
  });
  const say = (bytes: Uint8Array): void => {
    said = bytes.slice();
  };
  return [
    auditTarget(node, sample, say),
    attestTarget({ node, identity }, sample, say),
  ];
}

/** The octets behind an audit's answer. */
function auditTarget(
  node: Node,
  { plan, content }: Sample,
  say: (bytes: Uint8Array) => void,
): FuzzTarget {
  const leafCount = Math.ceil(AUDITED_BYTES / KIB);
  const truth = prover(content)([...Array(leafCount).keys()]);
  return {
    name: "node/audit",
    corpus: [truth],
    refuses: ["corrupt"],
    isExact: true,
    async rewrite(bytes) {
      say(bytes);
      const { outcome, detail } = await audit(
        node,
        node.record(),
        plan,
        0,
        never,
      );
      switch (outcome) {
        case "passed":
          return truth.slice();
        case "failed":
          throw new TesserasError("corrupt", detail);
        default:
          throw new RangeError(`wrong octets are a failure: ${detail}`);
      }
    },
  };
}

/** A holder's word, properly signed whatever it says, so that mutations get past the signature. */
function attestTarget(
  { node, identity }: { readonly node: Node; readonly identity: NodeSigner },
  { plan }: Sample,
  say: (bytes: Uint8Array) => void,
): FuzzTarget {
  const nowMs = node.runtime.clock.nowMs();
  const { bytes } = signProviderRecord({
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    indices: [0, 3, 6],
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, identity);
  const tag = utf8("tesseras provider record v1\n");
  const payloadOf = (record: Uint8Array): Uint8Array => {
    const limits = { bytesMax: record.length, depthMax: 1, itemsMax: 8 };
    const sealed = decode(record, limits);
    const payload = sealed instanceof Map ? sealed.get("p") : undefined;
    assertTrue(payload instanceof Uint8Array, "a record is a sealed payload");
    return payload.slice();
  };
  return {
    name: "node/attest",
    corpus: [payloadOf(bytes)],
    refuses: ["refused"],
    isExact: true,
    async rewrite(payload) {
      const s = identity.sign(concat([tag, payload]));
      say(encode({ p: payload, s }));
      const word = await attest(node, node.record(), plan, never);
      if (word.answer !== "keeps") {
        const reason = word.answer === "lost" ? "lost" : word.reason;
        throw new TesserasError("refused", reason);
      }
      const { record } = word;
      const isAbout = equal(record.planHash, plan.hash) &&
        equal(record.tesseraId, plan.tesseraId) &&
        equal(record.holder, node.id);
      if (isAbout) return payloadOf(record.bytes);
      throw new RangeError("a word on something else was believed");
    },
  };
}

function tooShort(bytes: Uint8Array): TesserasError {
  return new TesserasError(
    "malformed",
    `Cannot read a claim: ${bytes.length} bytes, wanted ${CLAIM_BYTES}`,
  );
}
