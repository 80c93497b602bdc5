/**
 * Has a holder prove that it keeps a fragment: leaves of it that it cannot know before, each with its way up the BLAKE3 tree.
 * Nothing is trusted but the fragment's hash and length, which the plan gives.
 */
import {
  assert,
  codeOf,
  type ErrorCode,
  messageOf,
  TesserasError,
  unreachable,
} from "@tesseras/core";
import { AUDIT_LEAF_BYTES, AUDIT_LEAVES_MAX } from "@tesseras/core/limits";
import {
  type ByteRange,
  type ContentShape,
  proofBytes,
  VerifiedRange,
} from "@tesseras/crypto";
import type { BulkReader } from "@tesseras/net";
import {
  drawRanges,
  type Observation,
  RANGE_BYTES,
  rangesPerAudit,
} from "@tesseras/preservation";
import { type AuditOutcome, DETAIL_BYTES_MAX } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { askHolder } from "./ask_holder.ts";
import type { Attestation } from "./attest.ts";
import type { Node } from "./node.ts";

/** How an audit ended. */
export type AuditResult = {
  /** `failed` is a wrong proof, `admitted` the holder's own word that it has it no more; `unanswered` may only be a bad line or a busy disk. */
  readonly outcome: AuditOutcome;
  /** One sentence for a person, short enough for the state, with a stranger's words in it. Empty when it passed. */
  readonly detail: string;
};

assert(
  RANGE_BYTES === AUDIT_LEAF_BYTES && rangesPerAudit() <= AUDIT_LEAVES_MAX,
  "what is drawn can be asked for",
);

/** What a holder may say that is an admission. */
const ADMISSIONS: readonly (ErrorCode | undefined)[] = ["absent", "corrupt"];
/** What its octets may turn out to be: not those of the fragment, on another way, too few or too many. */
const LIES: readonly (ErrorCode | undefined)[] = ["corrupt", "forged"];

/**
 * Audits one fragment at one holder, or at ourselves.
 *
 * @throws `malformed` for a fragment the plan has not; the signal's error. Any other failure is a result
 */
export async function audit(
  node: Node,
  holder: NodeRecord,
  plan: Plan,
  index: number,
  signal: AbortSignal,
): Promise<AuditResult> {
  const question = questionOf(node, plan, index);
  const result = await run(node, holder, question, signal);
  node.runtime.counters.add(`audit.${result.outcome}`);
  return result;
}

/** What is asked, and what proves the answer. */
type Question = {
  readonly request: {
    readonly type: "audit";
    readonly plan: Plan["hash"];
    readonly index: number;
    readonly leaves: readonly number[];
  };
  readonly hash: Plan["hash"];
  readonly shape: ContentShape;
  readonly ranges: readonly ByteRange[];
};

function questionOf(node: Node, plan: Plan, index: number): Question {
  const hash = plan.fragments[index];
  if (hash === undefined) {
    throw new TesserasError(
      "malformed",
      `Cannot audit fragment ${index}: the plan has ${plan.fragments.length}`,
    );
  }
  const { random } = node.runtime;
  const ranges = drawRanges(plan.shardBytes, rangesPerAudit(), random);
  const leaves = ranges.map(({ offset }) => offset / AUDIT_LEAF_BYTES);
  return {
    request: { type: "audit", plan: plan.hash, index, leaves },
    hash,
    shape: { totalBytes: plan.shardBytes, groupBytes: AUDIT_LEAF_BYTES },
    ranges,
  };
}

async function run(
  node: Node,
  holder: NodeRecord,
  question: Question,
  signal: AbortSignal,
): Promise<AuditResult> {
  let isAnswered = false;
  try {
    const { request } = question;
    const { bulk } = await askHolder(node, holder, request, signal);
    using reader = bulk;
    isAnswered = true;
    await verify(question, reader, signal);
    return { outcome: "passed", detail: "" };
  } catch (error) {
    const code = codeOf(error);
    if (signal.aborted || code === undefined) throw error;
    return {
      outcome: outcomeOf(code, isAnswered),
      detail: shortened(messageOf(error)),
    };
  }
}

function outcomeOf(code: ErrorCode, isAnswered: boolean): AuditOutcome {
  if (isAnswered) return LIES.includes(code) ? "failed" : "unanswered";
  return ADMISSIONS.includes(code) ? "admitted" : "unanswered";
}

/** Verifies every leaf when it has arrived, so that a liar is hung up on. @throws `corrupt`, `forged`, and as {@link BulkReader.read} */
async function verify(
  { hash, shape, ranges }: Question,
  bulk: BulkReader | undefined,
  signal: AbortSignal,
): Promise<void> {
  const wantedBytes = ranges.reduce(
    (sum, range) => sum + range.bytes + proofBytes(shape, range),
    0,
  );
  if (bulk === undefined || bulk.bytes !== wantedBytes) {
    throw new TesserasError(
      "corrupt",
      `Cannot verify a proof: ${
        bulk?.bytes ?? 0
      } bytes announced, wanted ${wantedBytes}`,
    );
  }
  const pieces = new Pieces(bulk);
  for (const range of ranges) {
    const length = range.bytes + proofBytes(shape, range);
    const piece = await pieces.next(length, signal);
    const proof = piece.subarray(range.bytes);
    new VerifiedRange({ hash, shape, range, proof })
      .check(range.offset, piece.subarray(0, range.bytes));
  }
  await pieces.end(signal);
}

/** Octets that arrive, cut as they are needed. */
class Pieces {
  readonly #bulk: BulkReader;
  /** What has arrived and is not taken; borrowed from the bulk. */
  #rest: Uint8Array = new Uint8Array();

  constructor(bulk: BulkReader) {
    this.#bulk = bulk;
  }

  /** @throws `corrupt` when there are fewer, and as {@link BulkReader.read} */
  async next(length: number, signal: AbortSignal): Promise<Uint8Array> {
    const piece = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (this.#rest.length === 0) {
        this.#rest = await this.#bulk.read(signal) ?? tooFew();
      }
      const part = this.#rest.subarray(0, length - filled);
      piece.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return piece;
  }

  /** Waits until the sender is seen to have ended there. @throws `corrupt` when it goes on, and as {@link BulkReader.read} */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#rest.length === 0 && !await this.#bulk.read(signal)) return;
    throw new TesserasError("corrupt", "Cannot verify a proof: it goes on");
  }
}

function tooFew(): never {
  throw new TesserasError("corrupt", "Cannot verify a proof: it ends early");
}

/** As much of a sentence as the state takes, in whole characters. */
function shortened(text: string): string {
  const room = new Uint8Array(DETAIL_BYTES_MAX);
  const whole = text.toWellFormed();
  return whole.slice(0, new TextEncoder().encodeInto(whole, room).read);
}

/**
 * What a look at one fragment of a holder says, as one observation. The audit decides where there was one: a holder that gives
 * its word and no proof evades.
 */
export function observationOf(
  index: number,
  attestation: Attestation,
  audited?: AuditResult,
): Observation {
  switch (audited?.outcome) {
    case "failed":
      return "failedAudit";
    case "admitted":
      return "saidLost";
    case "passed":
      return "proved";
  }
  switch (attestation.answer) {
    case "keeps":
      if (!attestation.indices.includes(index)) return "saidLost";
      return audited === undefined ? "claimed" : "pinged";
    case "lost":
      return "saidLost";
    case "present":
      return "pinged";
    case "silent":
      return "unanswered";
    default:
      return unreachable(attestation);
  }
}
