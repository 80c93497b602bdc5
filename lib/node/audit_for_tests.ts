/** Fragments to be kept, and holders that prove as it pleases them, for tests. */
import { type Hash, SeededRandom, tesseraId } from "@tesseras/core";
import { AUDIT_LEAF_BYTES } from "@tesseras/core/limits";
import { blake3, HashTreeBuilder } from "@tesseras/crypto";
import { bulkOf, type Handler, type Reply } from "@tesseras/net";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import { creator, never } from "@tesseras/testing/sim";
import type { NodeRecord, Request } from "@tesseras/wire";
import type { Node } from "./node.ts";

/** A plan of whole copies and their bytes, the same for the same seed. */
export type Sample = { readonly plan: Plan; readonly content: Uint8Array };

/** A plan of seven whole copies of so many bytes. */
export function sampleOf(bytes: number, seed = 1): Sample {
  const content = new SeededRandom(seed).bytes(bytes);
  const draft = draftPlan({
    tesseraId: tesseraId(blake3(new Uint8Array([seed]))),
    packBytes: bytes,
    fragments: Array<Hash>(7).fill(blake3(content)),
  });
  return { content, plan: signPlan(draft, creator(seed)) };
}

/** Has a holder keep a fragment. */
export async function give(
  from: Node,
  holder: NodeRecord,
  { plan, content, index = 0 }: Sample & { readonly index?: number },
): Promise<void> {
  await from.ask(
    holder,
    { type: "put_fragment", plan: plan.bytes, index, bulk: content.length },
    { bulk: bulkOf(content) },
    never,
  );
}

/** What is asked in an audit. */
export type Asked = Extract<Request, { readonly type: "audit" }>;

/** Answers audits as `answer` says, and nothing else. */
export function auditHandler(
  answer: (asked: Asked) => Reply | Promise<Reply>,
): Handler {
  return (_from, request) => {
    if (request.type !== "audit") throw new Error("only audits are asked here");
    return Promise.resolve(answer(request));
  };
}

/** An answer with these octets behind it. */
export function audited(bytes: Uint8Array): Reply {
  return {
    response: { type: "audited", bulk: bytes.length },
    bulk: bulkOf(bytes),
  };
}

/** Proves leaves from the tree of some content; the octets of each are what `octetsOf` says. */
export function prover(
  content: Uint8Array,
  octetsOf = (leaf: number): Uint8Array => leafOf(content, leaf),
): (leaves: readonly number[]) => Uint8Array {
  const shape = { totalBytes: content.length, groupBytes: AUDIT_LEAF_BYTES };
  const tree = new HashTreeBuilder(shape).update(content).finish();
  return (leaves) => {
    const parts = leaves.flatMap((leaf) => {
      const offset = leaf * AUDIT_LEAF_BYTES;
      const { length: bytes } = leafOf(content, leaf);
      return [...octetsOf(leaf), ...tree.prove({ offset, bytes })];
    });
    return new Uint8Array(parts);
  };
}

/** The octets of a leaf. */
export function leafOf(content: Uint8Array, leaf: number): Uint8Array {
  const at = leaf * AUDIT_LEAF_BYTES;
  return content.subarray(at, at + AUDIT_LEAF_BYTES);
}
