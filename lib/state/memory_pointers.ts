/** The pointers of {@link MemoryState}: by tessera first, because a lookup asks for one tessera among many. */
import { compare, keyOf, type TesseraId } from "@tesseras/core";
import {
  checkPointer,
  copied,
  type PointerKey,
  type PointerRow,
} from "./rows.ts";

/** Provider records in memory. */
export class MemoryPointers {
  readonly #byTessera = new Map<string, Map<string, PointerRow>>();
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Keeps copies; one replaces another of its key unless its sequence is lower. */
  put(rows: readonly PointerRow[]): void {
    for (const row of rows) checkPointer(row);
    for (const row of rows) {
      const tessera = keyOf(row.tesseraId);
      const kept = this.#byTessera.get(tessera) ?? new Map();
      this.#byTessera.set(tessera, kept);
      const older: PointerRow | undefined = kept.get(holderKey(row));
      if (older !== undefined && older.sequence > row.sequence) continue;
      if (older === undefined) this.#count++;
      kept.set(holderKey(row), copied(row));
    }
  }

  /** Those of a tessera, by holder and plan. */
  of(tesseraId: TesseraId): readonly PointerRow[] {
    const rows = this.#byTessera.get(keyOf(tesseraId));
    return [...rows?.values() ?? []].sort(byKey);
  }

  /** At most `limit` after a key, by key. */
  page(after: PointerKey | undefined, limit: number): readonly PointerRow[] {
    return [...this.#byTessera.values()].flatMap((rows) => [...rows.values()])
      .filter((row) => after === undefined || byKey(row, after) > 0)
      .sort(byKey).slice(0, limit);
  }

  /** Drops those whose time is up; returns how many. */
  expire(nowMs: number): number {
    const before = this.#count;
    for (const rows of this.#byTessera.values()) {
      this.remove([...rows.values()].filter((row) => row.expiresAtMs <= nowMs));
    }
    return before - this.#count;
  }

  /** Drops those of the keys that are there. */
  remove(keys: readonly PointerKey[]): void {
    for (const key of keys) {
      const tessera = keyOf(key.tesseraId);
      const rows = this.#byTessera.get(tessera);
      if (rows?.delete(holderKey(key))) this.#count--;
      if (rows?.size === 0) this.#byTessera.delete(tessera);
    }
  }
}

function holderKey(key: PointerKey): string {
  return `${keyOf(key.holder)} ${keyOf(key.planHash)}`;
}

function byKey(a: PointerKey, b: PointerKey): number {
  return compare(a.tesseraId, b.tesseraId) || compare(a.holder, b.holder) ||
    compare(a.planHash, b.planHash);
}
