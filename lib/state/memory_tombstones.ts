/** The tombstones of {@link MemoryState}, and how far ours have come. */
import { compare, keyOf } from "@tesseras/core";
import { TOMBSTONES_MAX } from "@tesseras/core/limits";
import type { CoverageRow, TombstoneKey, TombstoneRow } from "./care_rows.ts";
import { copied } from "./rows.ts";

/** Tombstones in memory. */
export class MemoryTombstones {
  readonly #rows = new Map<string, TombstoneRow>();
  readonly #coverage = new Map<string, Map<string, CoverageRow>>();

  /** Of `Care.putTombstones`. */
  put(rows: readonly TombstoneRow[]): void {
    for (const row of rows) {
      const key = tombstoneKey(row);
      const known = this.#rows.get(key);
      const isOurs = row.isOurs || known?.isOurs === true;
      const newer = known !== undefined && row.createdAtMs < known.createdAtMs
        ? known
        : copied(row);
      this.#rows.set(key, { ...newer, isOurs });
    }
    if (this.#rows.size <= TOMBSTONES_MAX) return;
    const others = [...this.#rows.values()].filter((row) => !row.isOurs)
      .sort((a, b) => a.expiresAtMs - b.expiresAtMs || byKey(a, b));
    const count = Math.max(0, others.length - TOMBSTONES_MAX);
    for (const row of others.slice(0, count)) this.#remove(row);
  }

  /** One of them, `undefined` when absent. */
  get(key: TombstoneKey): TombstoneRow | undefined {
    return this.#rows.get(tombstoneKey(key));
  }

  /** Those we made, by key. */
  ours(): readonly TombstoneRow[] {
    return [...this.#rows.values()].filter((row) => row.isOurs).sort(byKey);
  }

  /** Drops those whose time is up; returns how many. */
  expire(nowMs: number): number {
    const due = [...this.#rows.values()]
      .filter((row) => row.expiresAtMs <= nowMs);
    for (const row of due) this.#remove(row);
    return due.length;
  }

  /** Of `Care.putCoverage`. */
  cover(rows: readonly CoverageRow[]): void {
    for (const row of rows) {
      const key = tombstoneKey(row);
      if (!this.#rows.has(key)) continue;
      const holders = this.#coverage.get(key) ?? new Map();
      this.#coverage.set(key, holders.set(keyOf(row.holder), copied(row)));
    }
  }

  /** Of `Care.coverage`. */
  coverage(key: TombstoneKey): readonly CoverageRow[] {
    return [...this.#coverage.get(tombstoneKey(key))?.values() ?? []]
      .sort((a, b) => compare(a.holder, b.holder));
  }

  #remove(key: TombstoneKey): void {
    this.#rows.delete(tombstoneKey(key));
    this.#coverage.delete(tombstoneKey(key));
  }
}

function tombstoneKey(key: TombstoneKey): string {
  return `${keyOf(key.tesseraId)} ${keyOf(key.creator)}`;
}

function byKey(a: TombstoneKey, b: TombstoneKey): number {
  return compare(a.tesseraId, b.tesseraId) || compare(a.creator, b.creator);
}
