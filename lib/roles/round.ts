/** One round of announcements: everything kept for others in the order in which it lies among nodes, spread over the time of the round. */
import {
  concat,
  type Hash,
  hash,
  keyOfTessera,
  type NodeId,
  type TesseraId,
  tesseraId,
  u64be,
} from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import { isWithin, placeOf, type Prefix, shareOf } from "@tesseras/kad";
import type { Holding, State } from "@tesseras/state";

/** Where the state remembers how far the round has come. */
const NAME = "announce.round";
/** Rows of one page when all holdings are walked. */
const PAGE_ROWS = 500;
const ROW_BYTES = 2 * HASH_BYTES;
/** What the done part is written in. */
const PARTS = 2 ** 48;

/** How far a round has come. */
export type Progress = {
  /** Unix milliseconds. */
  readonly startedMs: number;
  /** The part of the space that is done, 0 to 1. */
  readonly done: number;
};

/**
 * What is to be announced in one round, as it was when the round began; what comes later is announced when it comes. About 72 bytes a
 * plan, so a million of them, far beyond what one holder may announce, take 72 MB.
 */
export class Round {
  readonly #powBits: number;
  /** Tessera and plan of each, in the order of reading. */
  readonly #rows: Uint8Array;
  readonly #order: readonly { readonly share: number; readonly row: number }[];
  #at = 0;

  private constructor(rows: Uint8Array, powBits: number, done: number) {
    this.#powBits = powBits;
    this.#rows = rows;
    this.#order = Array.from(
      { length: rows.length / ROW_BYTES },
      (_, row) => ({ share: this.#shareOf(row), row }),
    ).sort((a, b) => a.share - b.share);
    while (this.#order[this.#at] !== undefined && this.nextShare! < done) {
      this.#at++;
    }
  }

  /** Reads what is kept for others, and goes on where an earlier round had come to. */
  static async read(
    state: State,
    { powBits, done }: { readonly powBits: number; readonly done: number },
    signal: AbortSignal,
  ): Promise<Round> {
    const parts: Uint8Array[] = [];
    let after: Holding | undefined;
    for (;;) {
      const page = await state.holdings(after, PAGE_ROWS, signal);
      after = page.at(-1);
      if (after === undefined) break;
      parts.push(concat(page.flatMap((one) => [one.tesseraId, one.planHash])));
    }
    return new Round(concat(parts), powBits, done);
  }

  /** What is left. */
  get count(): number {
    return this.#order.length - this.#at;
  }

  /** Where the next one lies in the space, 0 to 1; `undefined` at the end. */
  get nextShare(): number | undefined {
    return this.#order[this.#at]?.share;
  }

  /** The key of the next one. */
  get nextKey(): NodeId | undefined {
    const next = this.#order[this.#at];
    return next && keyOfTessera(this.#tesseraAt(next.row));
  }

  /** Takes the next plans, up to so many, as long as their keys lie in a region. At least one while there are any. */
  take(region: Prefix, countMax: number): Hash[] {
    const plans: Hash[] = [];
    for (; plans.length < countMax; this.#at++) {
      const next = this.#order[this.#at];
      if (next === undefined) break;
      const place = placeOf(
        keyOfTessera(this.#tesseraAt(next.row)),
        this.#powBits,
      );
      if (plans.length > 0 && !isWithin(region, place)) break;
      const at = next.row * ROW_BYTES + HASH_BYTES;
      plans.push(hash(this.#rows.slice(at, at + HASH_BYTES)));
    }
    return plans;
  }

  #shareOf(row: number): number {
    return shareOf(keyOfTessera(this.#tesseraAt(row)), this.#powBits);
  }

  #tesseraAt(row: number): TesseraId {
    const at = row * ROW_BYTES;
    return tesseraId(this.#rows.subarray(at, at + HASH_BYTES));
  }
}

/** Remembers how far a round has come, so that one broken off goes on and does not begin anew. */
export async function saveProgress(
  state: State,
  { startedMs, done }: Progress,
  signal: AbortSignal,
): Promise<void> {
  const parts = BigInt(Math.floor(done * PARTS));
  // Before 1970 for a clock that was set back while the round ran.
  const started = BigInt(Math.max(0, Math.floor(startedMs)));
  const bytes = concat([u64be(started), u64be(parts)]);
  await state.putValue(NAME, bytes, signal);
}

/** How far the last round came; `undefined` when there was none, or when it began in the future of a clock that went back. */
export async function savedProgress(
  state: State,
  nowMs: number,
  signal: AbortSignal,
): Promise<Progress | undefined> {
  const bytes = await state.value(NAME, signal);
  if (bytes?.length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const startedMs = Number(view.getBigUint64(0));
  const done = Number(view.getBigUint64(8)) / PARTS;
  if (startedMs > nowMs || done > 1) return undefined;
  return { startedMs, done };
}
