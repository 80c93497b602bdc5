/** Lookups as an onlooker who sees everybody judges them. */
import { equal, keyOf, type NodeId, nodeId } from "@tesseras/core";
import { BUCKET_PEERS_MAX, NODE_ID_BYTES } from "@tesseras/core/limits";
import { findNodes } from "@tesseras/node";
import { type Citizen, type City, never } from "./city.ts";

/** One lookup. */
export type Looked = {
  /** Whether the first of its answers is the nearest of all that were up, and reachable, from its begin to its end. */
  readonly isRight: boolean;
  /** The share of the 20 nearest it found. */
  readonly recall: number;
  readonly hops: number;
  /** Until it ended, everybody near the target having been asked. */
  readonly tookMs: number;
  /** Until the nearest had answered. */
  readonly nearestMs: number;
  readonly questionCount: number;
};

/** Many lookups. */
export type LookedAll = {
  readonly count: number;
  readonly success: number;
  readonly recall: number;
  readonly medianHops: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly medianNearestMs: number;
  readonly meanQuestions: number;
};

/** Looks up a target from a node and judges the answer. */
export async function lookUp(
  city: City,
  asker: Citizen,
  target: NodeId,
): Promise<Looked> {
  // Some may go meanwhile, so a few more than are looked for.
  const before = city.nearest(target, 3 * BUCKET_PEERS_MAX, city.known());
  const beganMs = city.clock.monotonicMs();
  const found = await findNodes(asker.node, target, {}, never);
  const tookMs = city.clock.monotonicMs() - beganMs;
  const truth = before
    .filter((one) => one !== asker && city.isLiving(one))
    .slice(0, BUCKET_PEERS_MAX);
  const ids = new Set(found.closest.map(({ id }) => keyOf(id)));
  const hits = truth.filter(({ node }) => ids.has(keyOf(node.id)));
  const nearest = truth[0];
  const first = found.closest[0];
  const answered = first &&
    found.trace.find(({ id }) => equal(id, first.id))?.endedMs;
  return {
    isRight: nearest !== undefined &&
      found.closest.some(({ id }) => equal(id, nearest.node.id)),
    recall: truth.length === 0 ? 1 : hits.length / truth.length,
    hops: found.hops,
    tookMs,
    nearestMs: answered ?? tookMs,
    questionCount: found.trace.length,
  };
}

/** Looks up random targets from random nodes, each begun `gapMs` after the last. */
export async function lookUpMany(
  city: City,
  { count, gapMs }: { readonly count: number; readonly gapMs: number },
): Promise<LookedAll> {
  const random = city.random.fork();
  const running: Promise<Looked | undefined>[] = [];
  for (let i = 0; i < count; i++) {
    city.doing = `${i} of ${count} lookups have begun`;
    const target = nodeId(random.bytes(NODE_ID_BYTES));
    const asker = city.one();
    running.push(
      lookUp(city, asker, target).catch((error) => {
        // Whoever was stopped in the middle of a lookup has no answer to judge.
        if (city.isLiving(asker)) throw error;
        return undefined;
      }),
    );
    await city.clock.advance(gapMs);
  }
  const all = await city.run(Promise.all(running));
  return summed(all.filter((one) => one !== undefined));
}

function summed(all: readonly Looked[]): LookedAll {
  const mean = (of: (one: Looked) => number): number =>
    all.reduce((sum, one) => sum + of(one), 0) / all.length;
  return {
    count: all.length,
    success: mean(({ isRight }) => isRight ? 1 : 0),
    recall: mean(({ recall }) => recall),
    medianHops: quantile(all.map(({ hops }) => hops), 0.5),
    medianMs: quantile(all.map(({ tookMs }) => tookMs), 0.5),
    p95Ms: quantile(all.map(({ tookMs }) => tookMs), 0.95),
    medianNearestMs: quantile(all.map(({ nearestMs }) => nearestMs), 0.5),
    meanQuestions: mean(({ questionCount }) => questionCount),
  };
}

/** The value below which the given share of all lies; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[
    Math.min(sorted.length - 1, Math.floor(share * sorted.length))
  ] ??
    0;
}
