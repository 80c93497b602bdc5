/** Which provider records a keeper takes: pure judgement of one message against what is there. */
import { assert, equal, keyOf, type TesseraId } from "@tesseras/core";
import { PROVIDERS_PER_KEY_MAX } from "@tesseras/core/limits";
import type { PointerRow } from "@tesseras/state";

/** Plans of one tessera that one holder may point to: a creator cuts a tessera anew at most now and then. */
const PLANS_PER_HOLDER_MAX = 4;

/** What becomes of a record: kept; known, since somebody else brought the same; older than what is kept; or over a bound. */
export type Verdict = "kept" | "known" | "stale" | "over_bound";

/** Judges the records of one message against the bound of each key and each holder. */
export class Bounds {
  /** Those to write. */
  readonly kept: PointerRow[] = [];
  /** Those of them that replace nothing. */
  readonly added: PointerRow[] = [];
  readonly #perHolder: ReadonlyMap<string, number>;
  readonly #perHolderMax: number;
  /** Sequences by tessera, then by holder and plan. */
  readonly #known = new Map<string, Map<string, number>>();

  constructor(perHolder: ReadonlyMap<string, number>, perHolderMax: number) {
    this.#perHolder = perHolder;
    this.#perHolderMax = perHolderMax;
  }

  /** Whether what is kept of a tessera is known. */
  knows(tesseraId: TesseraId): boolean {
    return this.#known.has(keyOf(tesseraId));
  }

  /** Takes in what is kept of a tessera, expired records left out. */
  learn(tesseraId: TesseraId, rows: readonly PointerRow[]): void {
    this.#known.set(
      keyOf(tesseraId),
      new Map(rows.map((row) => [nameOf(row), row.sequence])),
    );
  }

  /** Says what becomes of a record; those judged before count. */
  judge(row: PointerRow): Verdict {
    const known = this.#known.get(keyOf(row.tesseraId));
    assert(known !== undefined, "a key is learnt before it is judged by");
    const sequence = known.get(nameOf(row));
    if (sequence === undefined && !this.#fits(known, row)) return "over_bound";
    if (sequence !== undefined && sequence > row.sequence) return "stale";
    if (sequence === row.sequence) return "known";
    if (sequence === undefined) this.added.push(row);
    known.set(nameOf(row), row.sequence);
    this.kept.push(row);
    return "kept";
  }

  #fits(known: ReadonlyMap<string, number>, { holder }: PointerRow): boolean {
    if (known.size >= PROVIDERS_PER_KEY_MAX) return false;
    const name = keyOf(holder);
    const plans = [...known.keys()].filter((key) => key.startsWith(name));
    if (plans.length >= PLANS_PER_HOLDER_MAX) return false;
    const added = this.added.filter((row) => equal(row.holder, holder)).length;
    return (this.#perHolder.get(name) ?? 0) + added < this.#perHolderMax;
  }
}

function nameOf(row: PointerRow): string {
  return `${keyOf(row.holder)}/${keyOf(row.planHash)}`;
}
