/** How far a tessera is in the network, by what its holders acknowledged and proved. */
import {
  codeOf,
  keyOf,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import { PROOF_FRESH_MS } from "@tesseras/preservation";
import type {
  AuditRow,
  PlacementRow,
  PublicationRow,
  State,
  WatchRow,
} from "@tesseras/state";
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
  /** Fragments that somebody acknowledged once. */
  readonly placedCount: number;
  /** Fragments with a holder that is not known to have lost them. */
  readonly aliveCount: number;
  /** Those of them whose holders prove nothing just now. */
  readonly silentCount: number;
  /** Holders of what is alive, and the networks they are in. */
  readonly peerCount: number;
  readonly subnetCount: number;
  /** Holders in the network that has most of them. */
  readonly peersInOneSubnet: number;
  /** The most holders that may go, whichever they are, while the others can still rebuild it; `undefined` when not even all can. */
  readonly survivesLossOf: number | undefined;
  /** When holders were last asked for a proof, and how the latest of each ended; `undefined` before the first. */
  readonly lastAudit: AuditSummary | undefined;
  /** How its repair stands, `undefined` before this node first looked. */
  readonly watch: WatchRow | undefined;
  readonly holders: readonly {
    readonly id: string;
    readonly indices: readonly number[];
  }[];
};

/** The latest audit of every fragment at every holder, together. */
export type AuditSummary = {
  /** Of the last one. */
  readonly atMs: number;
  readonly askedCount: number;
  readonly passedCount: number;
};

const STATES = {
  publishing: "Publishing",
  replicated: "Replicated",
  healthy: "Healthy",
} as const;

/** Reads what the state remembers of a tessera. @throws `missing` when it is not on this disk */
export async function reachOf(
  state: State,
  { id, nowMs }: { readonly id: TesseraId; readonly nowMs: number },
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
  const placed = plan && await state.care.placements(plan.hash, signal);
  const audits = plan && await state.care.audits(plan.hash, signal);
  // Somebody's word alone is no fragment.
  const alive =
    placed?.filter(({ lostAtMs, provedSinceMs }) =>
      lostAtMs === undefined && provedSinceMs !== undefined
    ) ?? [];
  const holders = holdersOf(alive);
  return {
    id,
    title: row.title,
    state: stateOf(publication, { plan, alive, nowMs }),
    plan,
    updatedAtMs: publication?.updatedAtMs,
    placedCount: indicesOf(placed ?? []).size,
    ...aliveOf(alive),
    peerCount: holders.size,
    ...subnetsOf(alive),
    survivesLossOf: plan &&
      lossesSurvived([...holders.values()], plan.dataCount),
    lastAudit: summaryOf(audits ?? []),
    watch: plan && await state.care.watch(plan.hash, signal),
    holders: [...holders].map(([id, indices]) => ({ id, indices })),
  };
}

/** What was noted, unless it says that all is well and nobody has seen that lately. */
function stateOf(
  publication: PublicationRow | undefined,
  { plan, alive, nowMs }: {
    readonly plan: Plan | undefined;
    readonly alive: readonly PlacementRow[];
    readonly nowMs: number;
  },
): Reach["state"] {
  if (publication === undefined) return "Local";
  if (publication.state !== "healthy") return STATES[publication.state];
  const proved = alive.filter(({ lastSeenMs, silence }) =>
    silence === undefined && nowMs - lastSeenMs <= PROOF_FRESH_MS
  );
  const isAll = indicesOf(proved).size === plan?.fragments.length;
  return isAll ? "Healthy" : "Replicated";
}

function aliveOf(alive: readonly PlacementRow[]) {
  const all = indicesOf(alive);
  const heard = alive.filter(({ silence }) => silence === undefined);
  return {
    aliveCount: all.size,
    silentCount: all.difference(indicesOf(heard)).size,
  };
}

function indicesOf(rows: readonly PlacementRow[]): Set<number> {
  return new Set(rows.map(({ index }) => index));
}

function summaryOf(audits: readonly AuditRow[]): AuditSummary | undefined {
  if (audits.length === 0) return undefined;
  return {
    atMs: Math.max(...audits.map(({ atMs }) => atMs)),
    askedCount: audits.length,
    passedCount: audits.filter(({ outcome }) => outcome === "passed").length,
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

/** Distinct networks of the holders, as their own signed records told when they were last heard. */
function subnetsOf(placements: readonly PlacementRow[]) {
  const rows = new Map<string, PlacementRow>();
  for (const row of placements) rows.set(keyOf(row.holder), row);
  const counts = new Map<string, number>();
  for (const row of rows.values()) {
    const subnet = subnetIn(row, row.ackedAtMs) ??
      subnetIn(row, row.lastSeenMs);
    if (subnet !== undefined) counts.set(subnet, (counts.get(subnet) ?? 0) + 1);
  }
  return {
    subnetCount: counts.size,
    peersInOneSubnet: Math.max(0, ...counts.values()),
  };
}

function subnetIn(
  { record }: PlacementRow,
  nowMs: number,
): string | undefined {
  try {
    return readNodeRecord(record, { nowMs, powBits: POW_BITS_MIN }).subnet;
  } catch (error) {
    // It may have run out while the fragment was on its way, or be unreadable after a damage.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
