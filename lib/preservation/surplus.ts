/**
 * Which of our fragments we may let go of, because somebody else keeps the same: whoever comes back after it was replaced brings
 * back a fragment that is there by then.
 *
 * Only who was away for longer than silence is forgiven lets go, and only of what it kept then: others had reason to take it for
 * lost. Were it enough that somebody keeps the same, a stranger could take a copy of everything, drive the honest holders out by
 * proving it, and vanish with all of it.
 *
 * And a holder lets go only for one that is nearer to the key and has proved the same fragment. So of those who really keep a
 * fragment the nearest never lets go of it, however many decide at one moment and whatever they know of one another: no word
 * between them is needed, and none is lost.
 */
import { equal, type NodeId } from "@tesseras/core";
import {
  type HealthOptions,
  type Holder,
  judge,
  type Keeping,
  type PlanView,
} from "./health.ts";
import { PATIENCE_DEFAULTS } from "./standing.ts";
import { nearer } from "./turns.ts";

/** What is known of a plan by one of its holders, its own keepings among the others. */
export type SurplusView = PlanView & {
  /** The tessera's key. */
  readonly key: NodeId;
  readonly self: NodeId;
  /** Those of our fragments that we kept while we were away for longer than the longest grace. */
  readonly replaceable: ReadonlySet<number>;
};

/** A fragment of ours that is too many. */
export type Surplus = {
  readonly index: number;
  /** Who keeps it, too, and is to prove it once more before we let go. */
  readonly keeper: Holder;
};

/** For so many times the longest grace must the other have answered without a gap: whoever was away may be away again. */
const STEADY_GRACES = 2;

/**
 * The first fragment of ours that may go: nothing of the tessera is missing or lies too close together, neither now nor without
 * ours, and a nearer holder has proved the same within the hour and answered for over a week. One at a time: the next look
 * decides about the next.
 */
export function surplusOf(
  view: SurplusView,
  nowMs: number,
  options: HealthOptions = {},
): Surplus | undefined {
  const { key, self, keepings, replaceable } = view;
  if (!isFull(view, nowMs, options)) return undefined;
  const own = keepings.filter(({ holder, standing }) =>
    equal(holder.id, self) && standing.is === "attested"
  ).filter(({ index }) => replaceable.has(index)).sort((a, b) =>
    a.index - b.index
  );
  for (const mine of own) {
    const keeper = keepings.filter((other) =>
      other.index === mine.index && nearer(key, other.holder.id, self) < 0 &&
      isSteady(other, nowMs, options)
    ).sort((a, b) =>
      nearer(key, a.holder.id, b.holder.id)
    )[0];
    if (keeper === undefined) continue;
    const without = keepings.filter((one) => one !== mine);
    if (!isFull({ ...view, keepings: without }, nowMs, options)) continue;
    return { index: mine.index, keeper: keeper.holder };
  }
  return undefined;
}

function isFull(
  view: PlanView,
  nowMs: number,
  options: HealthOptions,
): boolean {
  const { state, census, replicate } = judge(view, nowMs, options);
  return (state === "healthy" || state === "watch") &&
    replicate.length === 0 &&
    census.presentCount === view.dataCount + view.parityCount;
}

function isSteady(
  { standing }: Keeping,
  nowMs: number,
  { patience = PATIENCE_DEFAULTS }: HealthOptions,
): boolean {
  if (standing.is !== "attested") return false;
  const { atMs, sinceMs = atMs } = standing;
  return nowMs - atMs <= patience.trySpacingMs &&
    nowMs - sinceMs >= STEADY_GRACES * patience.calmGraceMs;
}
