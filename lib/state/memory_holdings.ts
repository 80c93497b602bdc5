/** The holdings of {@link MemoryState}: which plans its fragments are of. */
import { compare, keyOf } from "@tesseras/core";
import type { FragmentRow, Holding } from "./rows.ts";

/** At most `limit` plans of which something is kept for others, after one, by tessera and plan. */
export function holdingsOf(
  fragments: ReadonlyMap<string, FragmentRow>,
  after: Holding | undefined,
  limit: number,
): readonly Holding[] {
  const holdings = new Map<string, Holding>();
  for (const { tesseraId, planHash, owner } of fragments.values()) {
    const holding = { tesseraId, planHash };
    if (owner === undefined) continue;
    if (after !== undefined && byPlan(holding, after) <= 0) continue;
    holdings.set(`${keyOf(tesseraId)} ${keyOf(planHash)}`, holding);
  }
  return [...holdings.values()].sort(byPlan).slice(0, limit);
}

function byPlan(a: Holding, b: Holding): number {
  return compare(a.tesseraId, b.tesseraId) || compare(a.planHash, b.planHash);
}
