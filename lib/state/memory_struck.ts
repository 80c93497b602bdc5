/** The fragments of {@link MemoryState} that were struck out. */
import { equal, type Hash } from "@tesseras/core";
import { byFragment, fragmentKey } from "./memory_holdings.ts";
import { copied, type FragmentKey, type FragmentRow } from "./rows.ts";

type Struck = { readonly row: FragmentRow; readonly atMs: number };

/** What was found to be bad or gone, and is to be made anew. */
export class MemoryStruck {
  readonly #rows = new Map<string, Struck>();

  /** Remembers one. */
  put(row: FragmentRow, atMs: number): void {
    this.#rows.set(fragmentKey(row), { row: copied(row), atMs });
  }

  /** It is here again. Returns whether it was struck out. */
  remove(key: FragmentKey): boolean {
    return this.#rows.delete(fragmentKey(key));
  }

  /** Those of a plan, by index. */
  of(planHash: Hash): readonly FragmentRow[] {
    return [...this.#rows.values()].map(({ row }) => row)
      .filter((row) => equal(row.planHash, planHash)).sort(byFragment);
  }

  /** Forgets those struck out before a time, and returns their plans, each once for each fragment. */
  expire(beforeMs: number): readonly Hash[] {
    const due = [...this.#rows.values()].filter(({ atMs }) => atMs < beforeMs);
    for (const { row } of due) this.remove(row);
    return due.map(({ row }) => row.planHash);
  }

  /** Forgets those of some plans. */
  removePlans(plans: readonly Hash[]): void {
    for (const plan of plans) this.of(plan).forEach((row) => this.remove(row));
  }
}
