/** The placements of {@link MemoryState} with their audits: by plan first, because that is how they are asked for. */
import { compare, equal, type Hash, keyOf, parseHash } from "@tesseras/core";
import type {
  AuditRow,
  PlacedPage,
  PlacementKey,
  PlacementMark,
  PlacementRow,
} from "./care_rows.ts";
import type { MemoryLedger } from "./memory_ledger.ts";
import { copied } from "./rows.ts";

/** A placement and its latest audit. */
type Placed = {
  readonly row: PlacementRow;
  readonly audit: AuditRow | undefined;
};

/** Placements in memory; keeps the accounts of their holders right. */
export class MemoryPlacements {
  readonly #byPlan = new Map<string, Map<string, Placed>>();
  readonly #published = new Set<string>();
  readonly #ledger: MemoryLedger;

  constructor(ledger: MemoryLedger) {
    this.#ledger = ledger;
  }

  /** Of `Care.putPlacements`. */
  put(rows: readonly PlacementRow[]): void {
    for (const row of rows) this.#set(copied(row));
  }

  /** Of `Care.placements`. */
  of(planHash: Hash): readonly PlacementRow[] {
    return this.#placed(planHash).map(({ row }) => row).sort(byKey);
  }

  /** Of `Care.markPlacements`. */
  mark(marks: readonly PlacementMark[]): void {
    for (const mark of marks) {
      const known = this.#get(mark)?.row;
      if (known === undefined) continue;
      if ("silence" in mark) {
        this.#set({ ...known, silence: { ...mark.silence } });
        continue;
      }
      const { silence: _over, ...row } = known;
      this.#set(
        "seenAtMs" in mark
          ? {
            ...row,
            lastSeenMs: Math.max(row.lastSeenMs, mark.seenAtMs),
            lostAtMs: undefined,
          }
          : { ...row, lostAtMs: row.lostAtMs ?? mark.lostAtMs },
      );
    }
  }

  /** Of `Care.removePlacements`. */
  remove(keys: readonly PlacementKey[]): void {
    for (const key of keys) {
      const plan = keyOf(key.planHash);
      const placed = this.#byPlan.get(plan);
      const known = placed?.get(holderKey(key));
      if (placed === undefined || known === undefined) continue;
      placed.delete(holderKey(key));
      if (placed.size === 0) this.#byPlan.delete(plan);
      if (this.#published.has(plan)) this.#ledger.placement(known.row, -1);
    }
  }

  /** Of `Care.expirePlacements`. */
  expire(lostBeforeMs: number): number {
    const due = [...this.#byPlan.values()].flatMap((placed) =>
      [...placed.values()].map(({ row }) => row)
    ).filter(({ lostAtMs }) =>
      lostAtMs !== undefined && lostAtMs < lostBeforeMs
    );
    this.remove(due);
    return due.length;
  }

  /** Of `Care.placedPlans`. */
  plans({ after, limit, holder }: PlacedPage): readonly Hash[] {
    const from = after === undefined ? "" : keyOf(after);
    return [...this.#byPlan]
      .filter(([plan, placed]) =>
        plan > from &&
        (holder === undefined || [...placed.values()].some(({ row }) =>
          row.lostAtMs === undefined && equal(row.holder, holder)
        ))
      ).map(([plan]) => plan).sort().slice(0, limit).map(parseHash);
  }

  /** Of `Care.putAudits`. */
  audit(rows: readonly AuditRow[]): void {
    for (const row of rows) {
      const known = this.#get(row);
      if (known === undefined) continue;
      this.#byPlan.get(keyOf(row.planHash))!
        .set(holderKey(row), { ...known, audit: copied(row) });
    }
  }

  /** Of `Care.audits`. */
  audits(planHash: Hash): readonly AuditRow[] {
    return this.#placed(planHash).flatMap(({ audit }) => audit ?? [])
      .sort(byKey);
  }

  /** What holders keep of a plan counts from now on, or no longer. */
  publish(planHash: Hash, isPublished: boolean): void {
    const plan = keyOf(planHash);
    if (this.#published.has(plan) === isPublished) return;
    if (isPublished) this.#published.add(plan);
    else this.#published.delete(plan);
    // An account is as old as the first that counts.
    const oldestFirst = this.#placed(planHash)
      .toSorted((a, b) => a.row.ackedAtMs - b.row.ackedAtMs);
    for (const { row } of oldestFirst) {
      this.#ledger.placement(row, isPublished ? 1 : -1);
    }
  }

  /** Drops those of a plan. */
  removePlan(planHash: Hash): void {
    this.remove(this.of(planHash));
  }

  #placed(planHash: Hash): readonly Placed[] {
    return [...this.#byPlan.get(keyOf(planHash))?.values() ?? []];
  }

  #get(key: PlacementKey): Placed | undefined {
    return this.#byPlan.get(keyOf(key.planHash))?.get(holderKey(key));
  }

  #set(row: PlacementRow): void {
    const plan = keyOf(row.planHash);
    const placed = this.#byPlan.get(plan) ?? new Map<string, Placed>();
    const known = placed.get(holderKey(row));
    placed.set(holderKey(row), { row, audit: known?.audit });
    this.#byPlan.set(plan, placed);
    if (!this.#published.has(plan)) return;
    // What counts anew comes first: an account that is even in between would be closed.
    this.#ledger.placement(row, 1);
    if (known !== undefined) this.#ledger.placement(known.row, -1);
  }
}

function holderKey(key: PlacementKey): string {
  return `${key.index} ${keyOf(key.holder)}`;
}

function byKey(a: PlacementKey, b: PlacementKey): number {
  return a.index - b.index || compare(a.holder, b.holder);
}
