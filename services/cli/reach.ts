/** How far a tessera is in the network, by what its holders acknowledged. */
import {
  codeOf,
  keyOf,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import type { PlacementRow, State } from "@tesseras/state";
import { type Plan, readPlan } from "@tesseras/tessera";
import { readNodeRecord } from "@tesseras/wire";

/** What is known of one tessera. */
export type Reach = {
  readonly id: TesseraId;
  readonly title: string;
  readonly state: "Local" | "Publishing" | "Replicated" | "Healthy";
  /** `undefined` when it was never published. */
  readonly plan: Plan | undefined;
  readonly updatedAtMs: number | undefined;
  /** Fragments with at least one holder. */
  readonly placedCount: number;
  readonly peerCount: number;
  readonly subnetCount: number;
  /** The most holders that may go, whichever they are, while the others can still rebuild it; `undefined` when not even all can. */
  readonly survivesLossOf: number | undefined;
  readonly holders: readonly {
    readonly id: string;
    readonly indices: readonly number[];
  }[];
};

const STATES = {
  publishing: "Publishing",
  replicated: "Replicated",
  healthy: "Healthy",
} as const;

/** Reads what the state remembers of a tessera. @throws `missing` when it is not on this disk */
export async function reachOf(
  state: State,
  id: TesseraId,
  signal: AbortSignal,
): Promise<Reach> {
  const row = await state.tessera(id, signal);
  if (row === undefined) {
    throw new TesserasError(
      "missing",
      `Cannot find tessera ${toHex(id)}: it is not on this disk`,
    );
  }
  const publication = await state.publication(id, signal);
  const planRow = publication && await state.plan(publication.planHash, signal);
  const plan = planRow && readPlan(planRow.bytes);
  const placements = plan === undefined
    ? []
    : await state.placements(plan.hash, signal);
  const holders = holdersOf(placements);
  return {
    id,
    title: row.title,
    state: publication === undefined ? "Local" : STATES[publication.state],
    plan,
    updatedAtMs: publication?.updatedAtMs,
    placedCount: new Set(placements.map(({ index }) => index)).size,
    peerCount: holders.size,
    subnetCount: subnetCountOf(placements),
    survivesLossOf: plan &&
      lossesSurvived([...holders.values()], plan.dataCount),
    holders: [...holders].map(([id, indices]) => ({ id, indices })),
  };
}

/**
 * How many holders may be lost, whichever they are, while `needed` distinct fragments remain; `undefined` when there are
 * fewer to begin with. Loses the holders of most fragments first, which is the worst case where each fragment has one holder,
 * and never better than the truth where some have several.
 */
export function lossesSurvived(
  holders: readonly (readonly number[])[],
  needed: number,
): number | undefined {
  let left = new Set(holders.flat()).size;
  if (left < needed) return undefined;
  const sizes = holders.map(({ length }) => length).toSorted((a, b) => b - a);
  let lost = 0;
  for (const size of sizes) {
    left -= size;
    if (left < needed) break;
    lost++;
  }
  return lost;
}

function holdersOf(
  placements: readonly PlacementRow[],
): ReadonlyMap<string, readonly number[]> {
  const holders = new Map<string, number[]>();
  for (const { holder, index } of placements) {
    const key = keyOf(holder);
    const indices = holders.get(key);
    if (indices === undefined) holders.set(key, [index]);
    else indices.push(index);
  }
  return holders;
}

/** Distinct networks of the holders, as their own signed records told when they acknowledged. */
function subnetCountOf(placements: readonly PlacementRow[]): number {
  const records = new Map<string, PlacementRow>();
  for (const row of placements) records.set(keyOf(row.holder), row);
  const subnets = new Set<string>();
  for (const { record, ackedAtMs } of records.values()) {
    const subnet = subnetIn(record, ackedAtMs);
    if (subnet !== undefined) subnets.add(subnet);
  }
  return subnets.size;
}

function subnetIn(record: Uint8Array, nowMs: number): string | undefined {
  try {
    return readNodeRecord(record, { nowMs, powBits: POW_BITS_MIN }).subnet;
  } catch (error) {
    // It may have run out while the fragment was on its way.
    if (codeOf(error) === "refused") return undefined;
    throw error;
  }
}
