/** `Care` in memory, and what the rest of {@link MemoryState} tells it. */
import { compare, type Hash, keyOf, type NodeId } from "@tesseras/core";
import type { Care } from "./care.ts";
import {
  type AuditRow,
  checkAudit,
  checkCoverage,
  checkMark,
  checkPlacement,
  checkTombstone,
  checkWatch,
  type CoverageRow,
  type Forgotten,
  type InstitutionalMark,
  type PlacedPage,
  type PlacementKey,
  type PlacementMark,
  type PlacementRow,
  type TombstoneKey,
  type TombstoneRow,
  type WatchRow,
} from "./care_rows.ts";
import { MemoryLedger } from "./memory_ledger.ts";
import { MemoryPlacements } from "./memory_placements.ts";
import { step } from "./memory_step.ts";
import { MemoryStruck } from "./memory_struck.ts";
import { MemoryTombstones } from "./memory_tombstones.ts";
import {
  checkWhole,
  copied,
  type FragmentKey,
  type FragmentRow,
} from "./rows.ts";

/** What care needs of the plans and fragments beside it. */
export type Kept = {
  /** Whether a plan is here. */
  hasPlan(hash: Hash): boolean;
  /** Removes what is kept of these plans for others. */
  dropForeign(plans: readonly Hash[]): Forgotten;
  /** Removes a fragment and leaves its plan; `undefined` when it is not there. */
  strikeOut(key: FragmentKey): FragmentRow | undefined;
  /** Removes plans that nothing needs. */
  dropIdle(plans: readonly Hash[]): void;
};

/** Care that lives as long as the process. */
export class MemoryCare implements Care {
  readonly ledgerBook = new MemoryLedger();
  readonly placementBook = new MemoryPlacements(this.ledgerBook);
  readonly struckBook = new MemoryStruck();
  readonly #tombstones = new MemoryTombstones();
  readonly #watches = new Map<string, WatchRow>();
  readonly #kept: Kept;

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  /** A plan is no longer here: nor is what is known of its holders and its repair. */
  planGoes(hash: Hash): void {
    this.placementBook.removePlan(hash);
    this.#watches.delete(keyOf(hash));
  }

  putPlacements(rows: readonly PlacementRow[], signal: AbortSignal) {
    return step(signal, () => {
      for (const row of rows) checkPlacement(row);
      this.placementBook.put(rows);
    });
  }

  placements(planHash: Hash, signal: AbortSignal) {
    return step(signal, () => this.placementBook.of(planHash));
  }

  markPlacements(marks: readonly PlacementMark[], signal: AbortSignal) {
    return step(signal, () => {
      for (const mark of marks) checkMark(mark);
      this.placementBook.mark(marks);
    });
  }

  removePlacements(keys: readonly PlacementKey[], signal: AbortSignal) {
    return step(signal, () => this.placementBook.remove(keys));
  }

  expirePlacements(lostBeforeMs: number, signal: AbortSignal) {
    return step(signal, () => this.placementBook.expire(lostBeforeMs));
  }

  placedPlans(page: PlacedPage, signal: AbortSignal) {
    return step(signal, () => this.placementBook.plans(page));
  }

  putAudits(rows: readonly AuditRow[], signal: AbortSignal) {
    return step(signal, () => {
      for (const row of rows) checkAudit(row);
      this.placementBook.audit(rows);
    });
  }

  audits(planHash: Hash, signal: AbortSignal) {
    return step(signal, () => this.placementBook.audits(planHash));
  }

  putWatch(row: WatchRow, signal: AbortSignal) {
    return step(signal, () => {
      checkWatch(row);
      if (!this.#kept.hasPlan(row.planHash)) return;
      this.#watches.set(keyOf(row.planHash), copied(row));
    });
  }

  watch(planHash: Hash, signal: AbortSignal) {
    return step(signal, () => this.#watches.get(keyOf(planHash)));
  }

  dueWatches(atMs: number, limit: number, signal: AbortSignal) {
    return step(
      signal,
      () =>
        [...this.#watches.values()].filter((row) => row.dueAtMs <= atMs)
          .sort((a, b) =>
            a.dueAtMs - b.dueAtMs || compare(a.planHash, b.planHash)
          ).slice(0, limit),
    );
  }

  strikeOut(key: FragmentKey, atMs: number, signal: AbortSignal) {
    return step(signal, () => {
      checkWhole(atMs, "time of the loss");
      const row = this.#kept.strikeOut(key);
      if (row !== undefined) this.struckBook.put(row, atMs);
    });
  }

  struck(planHash: Hash, signal: AbortSignal) {
    return step(signal, () => this.struckBook.of(planHash));
  }

  removeStruck(keys: readonly FragmentKey[], signal: AbortSignal) {
    return step(signal, () => {
      const removed = keys.filter((key) => this.struckBook.remove(key));
      this.#kept.dropIdle(removed.map(({ planHash }) => planHash));
    });
  }

  expireStruck(beforeMs: number, signal: AbortSignal) {
    return step(signal, () => {
      const plans = this.struckBook.expire(beforeMs);
      this.#kept.dropIdle(plans);
      return plans.length;
    });
  }

  ledger(peer: NodeId, signal: AbortSignal) {
    return step(signal, () => this.ledgerBook.of(peer));
  }

  ledgers(limit: number, signal: AbortSignal) {
    return step(signal, () => this.ledgerBook.first(limit));
  }

  markInstitutional(mark: InstitutionalMark, signal: AbortSignal) {
    return step(signal, () => {
      checkWhole(mark.atMs, "time of the mark");
      this.ledgerBook.mark(mark);
    });
  }

  putTombstones(rows: readonly TombstoneRow[], signal: AbortSignal) {
    return step(signal, () => {
      for (const row of rows) checkTombstone(row);
      this.#tombstones.put(rows);
    });
  }

  forget(row: TombstoneRow, plans: readonly Hash[], signal: AbortSignal) {
    return step(signal, () => {
      checkTombstone(row);
      this.#tombstones.put([row]);
      this.struckBook.removePlans(plans);
      return this.#kept.dropForeign(plans);
    });
  }

  tombstone(key: TombstoneKey, signal: AbortSignal) {
    return step(signal, () => this.#tombstones.get(key));
  }

  ownTombstones(signal: AbortSignal) {
    return step(signal, () => this.#tombstones.ours());
  }

  expireTombstones(nowMs: number, signal: AbortSignal) {
    return step(signal, () => this.#tombstones.expire(nowMs));
  }

  putCoverage(rows: readonly CoverageRow[], signal: AbortSignal) {
    return step(signal, () => {
      for (const row of rows) checkCoverage(row);
      this.#tombstones.cover(rows);
    });
  }

  coverage(key: TombstoneKey, signal: AbortSignal) {
    return step(signal, () => this.#tombstones.coverage(key));
  }
}
