/** A repair whose turn has come, and what it is worth beside others. */
import { keyOfTessera, type NodeId } from "@tesseras/core";
import { DEFICIT_MAX } from "@tesseras/core/limits";
import { rankOfAccount, type Regard } from "@tesseras/node";
import type { ReciprocityRank, RepairJob, Turn } from "@tesseras/preservation";
import type { State, WatchRow } from "@tesseras/state";

/** A repair that waits for its place among those of this node. */
export type Job = RepairJob & {
  readonly seen: Regard;
  readonly row: WatchRow;
  readonly turn: Turn;
};

/** What a job is made of. */
export type JobParts = Pick<Job, "seen" | "row" | "turn"> & {
  /** Whether we published it. */
  readonly isOurs: boolean;
  /** Whether it may be placed with others now; if not, only what is rotten here is healed. */
  readonly mayPlace: boolean;
};

/** Weighs a repair. @throws as the state */
export async function jobOf(
  { state, deficitMax = DEFICIT_MAX }: {
    readonly state: State;
    readonly deficitMax?: number;
  },
  { seen, row, turn, isOurs, mayPlace }: JobParts,
  signal: AbortSignal,
): Promise<Job> {
  const { health, plan } = seen;
  const owner = await ownerOf(state, seen, signal);
  const account = owner && await state.care.ledger(owner, signal);
  const rank: ReciprocityRank = isOurs ? 1 : rankOfAccount(account, deficitMax);
  return {
    key: keyOfTessera(plan.tesseraId),
    urgency: health.urgency,
    spareCount: health.census.spareCount,
    rank,
    seen: mayPlace ? seen : { ...seen, health: { ...health, replicate: [] } },
    row,
    turn,
  };
}

/** For whom the plan is kept here. A repairer keeps it for nobody in particular. */
async function ownerOf(
  state: State,
  { plan }: Regard,
  signal: AbortSignal,
): Promise<NodeId | undefined> {
  const rows = await state.fragmentsOfPlan(plan.hash, signal);
  return rows.find(({ owner, isRepair }) => owner !== undefined && !isRepair)
    ?.owner;
}
