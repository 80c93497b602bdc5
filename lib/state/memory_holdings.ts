/** The holdings of {@link MemoryState}: which plans its fragments are of. */
import { compare, equal, keyOf, type NodeId } from "@tesseras/core";
import type { FragmentKey, FragmentRow, Holding, PlanRow } from "./rows.ts";

/** Those of a tessera or of a plan, by plan and index. */
export function fragmentsOf(
  fragments: ReadonlyMap<string, FragmentRow>,
  wanted: Pick<Holding, "tesseraId"> | Pick<Holding, "planHash">,
): readonly FragmentRow[] {
  return [...fragments.values()].filter((row) =>
    "planHash" in wanted
      ? equal(row.planHash, wanted.planHash)
      : equal(row.tesseraId, wanted.tesseraId)
  ).sort(byFragment);
}

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

/** Of `State.storedBytes`. */
export function storedBytesOf(
  fragments: ReadonlyMap<string, FragmentRow>,
  plans: ReadonlyMap<string, PlanRow>,
  whose: NodeId | string | undefined,
): number {
  let sum = 0;
  const counted = new Set<string>();
  for (const { owner, subnet, planHash, bytes } of fragments.values()) {
    if (owner === undefined) continue;
    const isOurs = whose === undefined ||
      (typeof whose === "string" ? subnet === whose : equal(owner, whose));
    if (!isOurs) continue;
    sum += bytes;
    const plan = keyOf(planHash);
    const sharer = `${whose === undefined ? keyOf(owner) : ""} ${plan}`;
    if (!counted.has(sharer)) sum += plans.get(plan)?.bytes.length ?? 0;
    counted.add(sharer);
  }
  return sum;
}

/** The name of a fragment in a map. */
export function fragmentKey(key: FragmentKey): string {
  return `${keyOf(key.planHash)} ${key.index}`;
}

/** Orders by plan and index. */
export function byFragment(a: FragmentKey, b: FragmentKey): number {
  return compare(a.planHash, b.planHash) || a.index - b.index;
}

function byPlan(a: Holding, b: Holding): number {
  return compare(a.tesseraId, b.tesseraId) || compare(a.planHash, b.planHash);
}
