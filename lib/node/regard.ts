/**
 * One look at a tessera: who keeps what of it by their own word and by proof, what that says about how it is, and all of it
 * written down, so that the next look, after a restart too, knows since when somebody has been silent.
 */
import {
  equal,
  keyOf,
  keyOfTessera,
  mapBounded,
  shuffled,
  toHex,
} from "@tesseras/core";
import { ATTEST_PARALLEL } from "@tesseras/core/limits";
import {
  type Health,
  type HealthOptions,
  isNewcomer,
  judge,
  type Keeping,
  type Patience,
  type PlanView,
  presenceOf,
  surplusOf,
  turnPlace,
} from "@tesseras/preservation";
import type { Blobs } from "@tesseras/blobs";
import type { FragmentRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { attest } from "./attest.ts";
import { audit, type AuditResult } from "./audit.ts";
import { findNodes } from "./find.ts";
import { type Asked, Holders, type Known } from "./holders.ts";
import type { Node } from "./node.ts";
import { findProviders } from "./providers.ts";
import type { Provider } from "./pointers.ts";
import { type OwnFragments, ownFragments } from "./own_fragments.ts";
import { returnedMs } from "./absence.ts";
import type { Spare } from "./release.ts";

/** What a look works with. */
export type RegardParts = {
  readonly node: Node;
  readonly state: State;
  readonly blobs: Blobs;
  readonly patience: Patience;
  /** Peers of one subnet per tessera; `undefined` on a cluster of one machine. */
  readonly subnetLimit: number | undefined;
};

/**
 * How closely to look: `whole` finds holders, asks them all, audits each and reads our own fragments; `again` finds and asks;
 * `silent` only asks those who have been silent.
 */
export type Depth = "whole" | "again" | "silent";

/** What was seen. */
export type Regard = {
  readonly plan: Plan;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly health: Health;
  /** How many live holders come before us. */
  readonly place: number;
  /** Whether nobody at all was heard: then nothing was learnt, and nothing written down. */
  readonly isCutOff: boolean;
  /** The first of those who have been silent for a while that may still pass; `undefined` when nobody is. */
  readonly silentSinceMs: number | undefined;
  /** The signed words of all who gave one, ourselves left out. */
  readonly providers: readonly Provider[];
  /** One who is taken to keep it, for each fragment. */
  readonly held: ReadonlyMap<number, NodeRecord>;
  /** Everybody who is taken to keep something, each once. */
  readonly live: readonly NodeRecord[];
  /** Keys of holders that nothing more is given to: they owe a proof. */
  readonly doubtful: ReadonlySet<string>;
  /** Fragments of our own whose bytes are wrong or gone, and that nobody else keeps. They are struck out already. */
  readonly rotten: readonly FragmentRow[];
  /** After a whole look: a fragment of ours that a nearer holder keeps, too. */
  readonly spare: Spare | undefined;
};

/**
 * Looks at a plan.
 *
 * @throws as the state; the signal's error. Whatever peers do is part of what is seen
 */
export async function regard(
  parts: RegardParts,
  plan: Plan,
  depth: Depth,
  signal: AbortSignal,
): Promise<Regard> {
  const { node, state, patience } = parts;
  const { clock, counters } = node.runtime;
  counters.add("care.looks");
  const claims = depth === "silent" ? [] : await claimsOn(node, plan, signal);
  const holders = await Holders.read({ node, state, plan, patience }, signal);
  // Not all fit where somebody makes many up: others another time.
  shuffled(claims, node.runtime.random)
    .forEach((claim) => holders.claimed(claim));
  const own = await ownFragments(parts, plan, depth === "whole", signal);
  const asked = await mapBounded(
    holders.toAsk(depth === "silent"),
    ATTEST_PARALLEL,
    (known, laneSignal) => ask(node, plan, { known, depth }, laneSignal),
    signal,
  );
  const isCutOff = asked.length > 0 &&
    asked.every(({ word }) => word.answer === "silent") &&
    await isAlone(node, plan, signal);
  const atMs = clock.nowMs();
  if (isCutOff) counters.add("care.cut_off");
  else await holders.note(asked, atMs, signal);
  const self = node.record();
  const keepings = [...holders.keepings(), ...own.keepings(self, atMs)];
  const watch = await state.care.watch(plan.hash, signal);
  const { dataCount, parityCount } = plan;
  const watchedSinceMs = watch?.watchedSinceMs;
  const view = { dataCount, parityCount, keepings, watchedSinceMs };
  const options = { patience, subnetLimit: parts.subnetLimit };
  const health = judge(view, atMs, options);
  const known = { view, atMs, options, holders, own };
  const live = health.live.flatMap(({ id }) =>
    equal(id, node.id) ? self : holders.recordOf(id) ?? []
  );
  return {
    plan,
    atMs,
    health,
    place: placeOf(node, plan, live),
    isCutOff,
    silentSinceMs: holders.silentSinceMs(atMs),
    providers: asked.flatMap(({ word, known }) =>
      word.answer === "keeps"
        ? [{ record: word.record, holder: known.record }]
        : []
    ),
    held: heldOf(parts, { keepings, live, atMs, watchedSinceMs }),
    live,
    doubtful: holders.doubtful(),
    rotten: await toHeal(parts, { own, keepings }, signal),
    spare: depth === "whole" && !isCutOff
      ? await spareOf(parts, plan, known, signal)
      : undefined,
  };
}

async function spareOf(
  { node, state }: RegardParts,
  { tesseraId }: Plan,
  { view, atMs, options, holders, own }: {
    readonly view: PlanView;
    readonly atMs: number;
    readonly options: HealthOptions;
    readonly holders: Holders;
    readonly own: OwnFragments;
  },
  signal: AbortSignal,
): Promise<Spare | undefined> {
  const surplus = surplusOf(
    {
      ...view,
      key: keyOfTessera(tesseraId),
      self: node.id,
      replaceable: own.keptAt(await returnedMs(state, signal)),
    },
    atMs,
    options,
  );
  const keeper = surplus && holders.recordOf(surplus.keeper.id);
  return surplus && keeper && { index: surplus.index, keeper };
}

/** What rotted here and nobody else keeps by now; the rest we are rid of, for twice is no better than once. */
async function toHeal(
  { node, state }: RegardParts,
  { own: { rotten }, keepings }: {
    readonly own: OwnFragments;
    readonly keepings: readonly Keeping[];
  },
  signal: AbortSignal,
): Promise<readonly FragmentRow[]> {
  const elsewhere = new Set(
    keepings.filter(({ holder, standing }) =>
      standing.is === "attested" && !equal(holder.id, node.id)
    ).map(({ index }) => index),
  );
  const isReplaced = ({ index }: FragmentRow) => elsewhere.has(index);
  const replaced = rotten.filter(isReplaced);
  if (replaced.length > 0) await state.care.removeStruck(replaced, signal);
  return rotten.filter((row) => !isReplaced(row));
}

function placeOf(
  node: Node,
  { tesseraId }: Plan,
  live: readonly NodeRecord[],
): number {
  const ids = live.map(({ id }) => id);
  return turnPlace(keyOfTessera(tesseraId), node.id, ids).place;
}

async function claimsOn(
  node: Node,
  plan: Plan,
  signal: AbortSignal,
): Promise<readonly Provider[]> {
  const found = await findProviders(node, plan.tesseraId, signal);
  return found.filter(({ record }) =>
    equal(record.planHash, plan.hash) && !equal(record.holder, node.id)
  );
}

/** A holder's word, its proof of all that it never proved or owes, and in a whole look of one fragment in any case. */
async function ask(
  node: Node,
  plan: Plan,
  { known, depth }: { readonly known: Known; readonly depth: Depth },
  signal: AbortSignal,
): Promise<Asked> {
  const { record } = known;
  const { hash, tesseraId } = plan;
  const sequenceMin = known.claim?.record.sequence;
  const asked = { hash, tesseraId, sequenceMin };
  const word = await attest(node, record, asked, signal);
  if (word.answer !== "keeps") return { known, word };
  const named = word.indices.filter((index) => index < plan.fragments.length);
  const drawn = shuffled(named, node.runtime.random);
  const owed = drawn.filter((index) => known.auditsOwed(index) > 0);
  const among = depth === "whole" && owed.length === 0
    ? drawn.slice(0, 1)
    : owed;
  const audited = new Map<number, AuditResult>();
  for (const index of among) {
    const times = Math.max(1, known.auditsOwed(index));
    const result = await auditTimes(node, record, {
      plan,
      index,
      times,
    }, signal);
    audited.set(index, result);
    // Who proves one thing not will hardly prove another: whoever claims everything costs one question.
    if (result.outcome !== "passed") break;
  }
  return { known, word, audited };
}

/** Audits a fragment so many times, until one is not passed. */
async function auditTimes(
  node: Node,
  holder: NodeRecord,
  { plan, index, times }: {
    readonly plan: Plan;
    readonly index: number;
    readonly times: number;
  },
  signal: AbortSignal,
): Promise<AuditResult> {
  let result = await audit(node, holder, plan, index, signal);
  for (let time = 1; time < times && result.outcome === "passed"; time++) {
    result = await audit(node, holder, plan, index, signal);
  }
  if (result.outcome === "failed" || result.outcome === "admitted") {
    node.runtime.log.warn("care.audit_failed", {
      tessera: toHex(plan.tesseraId),
      index,
      holder: toHex(holder.id),
      reason: result.detail,
    });
  }
  return result;
}

/** Whether nobody of the network answers: then it is our own line that is silent. */
async function isAlone(
  node: Node,
  plan: Plan,
  signal: AbortSignal,
): Promise<boolean> {
  const key = keyOfTessera(plan.tesseraId);
  return (await findNodes(node, key, {}, signal)).closest.length === 0;
}

/** Who keeps each fragment: somebody who proved it rather than somebody who is silent. */
function heldOf(
  { patience }: RegardParts,
  { keepings, live, atMs, watchedSinceMs }: {
    readonly keepings: readonly Keeping[];
    readonly live: readonly NodeRecord[];
    readonly atMs: number;
    readonly watchedSinceMs: number | undefined;
  },
): ReadonlyMap<number, NodeRecord> {
  const forgiven = {
    graceMs: patience.calmGraceMs,
    patience,
    isNewcomer: isNewcomer(watchedSinceMs, atMs, patience),
  };
  const records = new Map(live.map((record) => [keyOf(record.id), record]));
  const held = new Map<number, NodeRecord>();
  const proved = new Set<number>();
  for (const { index, holder, standing } of keepings) {
    const record = records.get(keyOf(holder.id));
    if (record === undefined || proved.has(index)) continue;
    const presence = presenceOf(standing, atMs, forgiven);
    if (presence === "gone" || presence === "lost") continue;
    held.set(index, record);
    if (presence === "proved") proved.add(index);
  }
  return held;
}
