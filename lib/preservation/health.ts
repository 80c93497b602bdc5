/**
 * How a tessera is, from what one node knows of its fragments, and what should be done about it. Lazy where laziness saves
 * bytes, early where the margin shrinks, and never at the first silence.
 */
import { keyOf, type NodeId } from "@tesseras/core";
import {
  PEERS_PER_SUBNET_MAX,
  REPLICATION_FACTOR,
} from "@tesseras/core/limits";
import {
  type Coding,
  isCalm,
  repairAfterLosses,
  urgentSpareMax,
} from "./coding.ts";
import {
  type Patience,
  PATIENCE_DEFAULTS,
  type Presence,
  presenceOf,
  type Standing,
} from "./standing.ts";

/** Who keeps a fragment. */
export type Holder = {
  readonly id: NodeId;
  /** Its /24 or /48; `undefined` where networks say nothing. */
  readonly subnet: string | undefined;
};

/** One fragment at one holder, as far as it is known. */
export type Keeping = {
  readonly index: number;
  readonly holder: Holder;
  readonly standing: Standing;
};

/** What is judged. An index nobody is known to keep has no keeping; one may have several. */
export type PlanView = Coding & {
  readonly keepings: readonly Keeping[];
  /** Since when we have looked after it: for the length of the usual grace we are newcomers. For ever where it is left out. */
  readonly watchedSinceMs?: number | undefined;
};

/** How to judge. */
export type HealthOptions = {
  readonly patience?: Patience;
  /** Peers a tessera should be spread over at least, where it has as many fragments. */
  readonly peersMin?: number;
  /** Peers of one tessera per subnet; `undefined` lifts the limit, for a cluster on one machine. */
  readonly subnetLimit?: number | undefined;
};

/** What {@link judge} uses where its options are silent. */
export const HEALTH_DEFAULTS = {
  patience: PATIENCE_DEFAULTS,
  peersMin: REPLICATION_FACTOR,
  subnetLimit: PEERS_PER_SUBNET_MAX,
} as const;

/** What was counted. Fragments are counted once, however many keep the same. */
export type Census = {
  /** Fragments that could be fetched now. */
  readonly provedCount: number;
  /** With those whose holders are silent, but not for long. */
  readonly presentCount: number;
  /** With those whose holders may come back. */
  readonly hopedCount: number;
  /** How many of those present may still go; negative when too few are left. */
  readonly spareCount: number;
  /** Distinct peers that keep what is present, and the subnets they are in. */
  readonly peerCount: number;
  readonly subnetCount: number;
};

/** How a tessera is. */
export type State =
  /** Every fragment is proved. */
  | "healthy"
  /** Some are silent or gone, and more is not worth moving bytes for yet. */
  | "watch"
  /** {@link Health.replicate} should be made and placed. */
  | "needsReplication"
  /** {@link Health.refetch} should be fetched or rebuilt for our own disk. */
  | "corruptLocal"
  /** Fewer fragments than it takes are left anywhere that is known, whoever comes back. */
  | "lostForGood";

/** What goes first when there is too much to do. */
export type Urgency =
  | "none"
  /** Nothing is missing; it only lies too close together. */
  | "idle"
  | "soon"
  /** A quarter of the margin is left, or less. */
  | "atOnce";

/** The judgement. */
export type Health = {
  readonly state: State;
  readonly urgency: Urgency;
  /** Fragments to make and to place with new peers, in ascending order; those missing, and those that lie too close together. */
  readonly replicate: readonly number[];
  /** Our own fragments that do not hash. */
  readonly refetch: readonly number[];
  /** Whether those who answer have enough for it now. */
  readonly canRebuild: boolean;
  /** Who is taken for alive, each once: whose turns count, and beside whom new holders are placed. */
  readonly live: readonly Holder[];
  readonly census: Census;
};

/** Judges a tessera. Equal views give equal judgements, in whatever order the keepings come; indices that the plan has not are ignored. */
export function judge(
  view: PlanView,
  nowMs: number,
  options: HealthOptions = {},
): Health {
  const { subnetLimit } = { ...HEALTH_DEFAULTS, ...options };
  const { patience = PATIENCE_DEFAULTS, peersMin = REPLICATION_FACTOR } =
    options;
  const fragmentCount = view.dataCount + view.parityCount;
  const best = bestPresences(view, nowMs, patience);
  const peers = livePeers(best.seen);
  const census = takeCensus(best.byIndex, peers, view);
  const missing: number[] = [];
  const refetch: number[] = [];
  for (let index = 0; index < fragmentCount; index++) {
    if (isPresent(best.byIndex[index])) continue;
    missing.push(index);
    if (best.corrupt.has(index)) refetch.push(index);
  }
  const isDue = missing.length >= repairAfterLosses(view);
  const close = tooClose(peers, {
    peersMin: Math.min(peersMin, fragmentCount),
    subnetLimit: subnetLimit ?? Infinity,
  });
  const wanted = [...isDue ? missing : [], ...close]
    .filter((index) => !refetch.includes(index));
  const state = stateOf({ census, view, wanted, refetch });
  const isOver = state === "lostForGood";
  return {
    state,
    urgency: isOver ? "none" : urgencyOf({ census, view, isDue, close }),
    replicate: isOver ? [] : wanted.sort(ascending),
    refetch: isOver ? [] : refetch,
    canRebuild: census.provedCount >= view.dataCount,
    live: peers.map(({ holder }) => holder),
    census,
  };
}

/** Whether we have looked after something for so short a time that we take others' word for what we had no time to see proved. */
export function isNewcomer(
  watchedSinceMs: number | undefined,
  nowMs: number,
  { graceMs }: Patience = PATIENCE_DEFAULTS,
): boolean {
  return !(nowMs - (watchedSinceMs ?? nowMs) >= graceMs);
}

type Seen = { readonly keeping: Keeping; readonly presence: Presence };

type Presences = {
  readonly seen: readonly Seen[];
  /** The best that is known of each index; `undefined` where nobody is known to keep it. */
  readonly byIndex: readonly (Presence | undefined)[];
  /** Indices whose copy on our own disk does not hash. */
  readonly corrupt: ReadonlySet<number>;
};

/** What each keeping counts for: the smaller the margin, the shorter silence is forgiven. */
function bestPresences(
  view: PlanView,
  nowMs: number,
  patience: Patience,
): Presences {
  const within = (graceMs: number): Presences =>
    presencesWithin(view, nowMs, {
      patience,
      graceMs,
      isNewcomer: isNewcomer(view.watchedSinceMs, nowMs, patience),
    });
  const usual = within(patience.graceMs);
  const proved = usual.byIndex.filter((best) => best === "proved").length;
  if (proved <= view.dataCount) return within(patience.alarmGraceMs);
  const missing = usual.byIndex.filter((best) => !isPresent(best)).length;
  return isCalm(view, missing) ? within(patience.calmGraceMs) : usual;
}

function presencesWithin(
  view: PlanView,
  nowMs: number,
  forgiven: {
    readonly patience: Patience;
    readonly graceMs: number;
    readonly isNewcomer: boolean;
  },
): Presences {
  const count = view.dataCount + view.parityCount;
  const byIndex = new Array<Presence | undefined>(count).fill(undefined);
  const corrupt = new Set<number>();
  const seen: Seen[] = [];
  for (const keeping of view.keepings) {
    const { index, standing } = keeping;
    if (!Number.isInteger(index) || index < 0 || index >= count) continue;
    const presence = presenceOf(standing, nowMs, forgiven);
    seen.push({ keeping, presence });
    byIndex[index] = better(byIndex[index], presence);
    if (standing.is === "lost" && standing.why === "corruptLocal") {
      corrupt.add(index);
    }
  }
  return { seen, byIndex, corrupt };
}

const WORTH: Readonly<Record<Presence, number>> = {
  proved: 3,
  presumed: 2,
  gone: 1,
  lost: 0,
};

function better(a: Presence | undefined, b: Presence): Presence {
  return a === undefined || WORTH[b] > WORTH[a] ? b : a;
}

function isPresent(presence: Presence | undefined): boolean {
  return presence === "proved" || presence === "presumed";
}

/** A peer that is taken for alive, and what it keeps. */
type Peer = {
  readonly key: string;
  readonly holder: Holder;
  readonly indices: number[];
};

function livePeers(seen: readonly Seen[]): Peer[] {
  const byKey = new Map<string, Peer>();
  for (const { keeping: { holder, index }, presence } of seen) {
    if (!isPresent(presence)) continue;
    const key = keyOf(holder.id);
    const peer = byKey.get(key);
    if (peer === undefined) byKey.set(key, { key, holder, indices: [index] });
    else if (!peer.indices.includes(index)) peer.indices.push(index);
  }
  return [...byKey.values()];
}

function takeCensus(
  byIndex: readonly (Presence | undefined)[],
  peers: readonly Peer[],
  { dataCount }: Coding,
): Census {
  const worth = byIndex.map((best) => best === undefined ? 0 : WORTH[best]);
  const atLeast = (least: number): number =>
    worth.filter((value) => value >= least).length;
  const subnets = new Set(peers.map(({ holder }) => holder.subnet));
  subnets.delete(undefined);
  const presentCount = atLeast(WORTH.presumed);
  return {
    provedCount: atLeast(WORTH.proved),
    presentCount,
    hopedCount: atLeast(WORTH.gone),
    spareCount: presentCount - dataCount,
    peerCount: peers.length,
    subnetCount: subnets.size,
  };
}

/**
 * Fragments to be kept elsewhere, too, because who keeps them now would fail together: those that lie only with peers beyond
 * the limit of a subnet, and, where the peers are fewer than there should be, some of those that have several.
 */
function tooClose(
  peers: readonly Peer[],
  { peersMin, subnetLimit }: {
    readonly peersMin: number;
    readonly subnetLimit: number;
  },
): number[] {
  const wanting = Math.max(0, peersMin - peers.length);
  if (wanting === 0 && !isAnyCrowded(peers, subnetLimit)) return [];
  // Those who keep most first, then by id: every node must see them in the same order.
  const ordered = peers.toSorted((a, b) =>
    b.indices.length - a.indices.length || (a.key < b.key ? -1 : 1)
  );
  const neighbours = new Map<string, number>();
  const spread = new Set<number>();
  const crowded = new Set<number>();
  for (const { holder: { subnet }, indices } of ordered) {
    const before = subnet === undefined ? 0 : neighbours.get(subnet) ?? 0;
    if (subnet !== undefined) neighbours.set(subnet, before + 1);
    const side = before < subnetLimit ? spread : crowded;
    for (const index of indices) side.add(index);
  }
  const close = crowded.difference(spread);
  return [...close.union(fromLaden(ordered, wanting))];
}

function isAnyCrowded(peers: readonly Peer[], subnetLimit: number): boolean {
  const neighbours = new Map<string, number>();
  return peers.some(({ holder: { subnet } }) => {
    if (subnet === undefined) return false;
    const count = (neighbours.get(subnet) ?? 0) + 1;
    neighbours.set(subnet, count);
    return count > subnetLimit;
  });
}

/** So many fragments of peers that keep several: one of each in turn, the most laden first. */
function fromLaden(ordered: readonly Peer[], count: number): Set<number> {
  const longest = ordered[0]?.indices.length ?? 0;
  const taken = new Set<number>();
  // The first of each stays where it is.
  for (let round = 1; round < longest; round++) {
    for (const { indices } of ordered) {
      if (taken.size >= count) return taken;
      const index = indices.toSorted(ascending)[round];
      if (index !== undefined) taken.add(index);
    }
  }
  return taken;
}

function ascending(a: number, b: number): number {
  return a - b;
}

function stateOf({ census, view, wanted, refetch }: {
  readonly census: Census;
  readonly view: Coding;
  readonly wanted: readonly number[];
  readonly refetch: readonly number[];
}): State {
  const fragmentCount = view.dataCount + view.parityCount;
  if (census.hopedCount < view.dataCount) return "lostForGood";
  if (wanted.length > 0) return "needsReplication";
  if (refetch.length > 0) return "corruptLocal";
  return census.provedCount === fragmentCount ? "healthy" : "watch";
}

function urgencyOf({ census, view, isDue, close }: {
  readonly census: Census;
  readonly view: Coding;
  readonly isDue: boolean;
  readonly close: readonly number[];
}): Urgency {
  if (isDue) {
    return census.spareCount <= urgentSpareMax(view) ? "atOnce" : "soon";
  }
  return close.length > 0 ? "idle" : "none";
}
