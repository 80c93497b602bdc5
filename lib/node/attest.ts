/** Asks a holder what it keeps of a plan. Its signed word is cheap to give and cheap to check; whether it is true an audit finds out. */
import {
  codeOf,
  equal,
  type Hash,
  messageOf,
  type TesseraId,
  TesserasError,
} from "@tesseras/core";
import { REPUBLISH_MS } from "@tesseras/core/limits";
import type { NodeRecord, ProviderRecord } from "@tesseras/wire";
import { askHolder } from "./ask_holder.ts";
import type { Node } from "./node.ts";

/** What is asked about. */
export type AttestedPlan = {
  readonly hash: Hash;
  readonly tesseraId: TesseraId;
  /** The sequence of the newest word known of this holder on this plan: an older one says nothing about now. */
  readonly sequenceMin?: number | undefined;
};

/** What came of asking. */
export type Attestation =
  /** Its word of now. Indices that are left out are not kept there; the plan may have none of those that are named. */
  | {
    readonly answer: "keeps";
    readonly record: ProviderRecord;
    readonly indices: readonly number[];
  }
  /** It says that it keeps nothing of the plan. */
  | { readonly answer: "lost" }
  /** It lives, and gave no word that counts. */
  | { readonly answer: "present"; readonly reason: string }
  /** Nothing was heard from it. Whether from anybody else is for the caller to know. */
  | { readonly answer: "silent"; readonly reason: string };

/** How old a word may be: holders sign when they are asked, and clocks differ. As long as it takes a holder to say the same anew to everybody. */
const WORD_AGE_MAX_MS = REPUBLISH_MS;

/**
 * Asks a holder, or ourselves, what it keeps of a plan, and pings it when no word came that counts.
 *
 * @throws the signal's error; any other failure is an answer
 */
export async function attest(
  node: Node,
  holder: NodeRecord,
  plan: AttestedPlan,
  signal: AbortSignal,
): Promise<Attestation> {
  try {
    const request = { type: "attest", plan: plan.hash } as const;
    const { response } = await askHolder(node, holder, request, signal);
    const record = wordOf(node, holder, plan, response.provider);
    return { answer: "keeps", record, indices: record.indices };
  } catch (error) {
    const code = codeOf(error);
    if (signal.aborted || code === undefined) throw error;
    if (code === "absent") return { answer: "lost" };
    const reason = messageOf(error);
    // Nobody was there, or somebody else: a ping goes the same way.
    if (code === "unreachable") return { answer: "silent", reason };
    const lives = await isAlive(node, holder, signal);
    return { answer: lives ? "present" : "silent", reason };
  }
}

/** The record, once it is this holder's word of now on this plan. @throws `forged`, `malformed`, `refused` */
function wordOf(
  { records, runtime }: Node,
  holder: NodeRecord,
  plan: AttestedPlan,
  bytes: Uint8Array,
): ProviderRecord {
  const nowMs = runtime.clock.nowMs();
  try {
    const record = records.provider(bytes, nowMs);
    if (
      !equal(record.holder, holder.id) ||
      !equal(record.planHash, plan.hash) ||
      !equal(record.tesseraId, plan.tesseraId)
    ) {
      throw new TesserasError(
        "forged",
        "Cannot count a plan as kept: the holder signed for something else",
      );
    }
    const ageMs = nowMs - record.sequence;
    if (
      ageMs > WORD_AGE_MAX_MS || record.sequence < (plan.sequenceMin ?? 0)
    ) {
      throw new TesserasError(
        "refused",
        `Cannot count a plan as kept: the holder's word is ${ageMs} ms old, wanted one of now`,
      );
    }
    return record;
  } catch (error) {
    runtime.counters.add("attest.misfit");
    throw error;
  }
}

async function isAlive(
  node: Node,
  holder: NodeRecord,
  signal: AbortSignal,
): Promise<boolean> {
  if (equal(holder.id, node.id)) return true;
  try {
    await node.ping(holder, signal);
    return true;
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    return false;
  }
}
