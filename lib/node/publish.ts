/** The whole publish story: find peers, place fragments, send them, tell the DHT. */
import { keyOf, mapBounded, TesserasError, toHex } from "@tesseras/core";
import { ATTEST_PARALLEL } from "@tesseras/core/limits";
import type { PlacementRow } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { attest } from "./attest.ts";
import { candidatesFor } from "./candidates.ts";
import { placedAt } from "./placed.ts";
import { type Provider, storeProviders } from "./pointers.ts";
import { type PublishEvent, type PublishParts, Sender } from "./sender.ts";

/** Where the fragments of a tessera are. */
export type PublishReport = {
  readonly planHash: Uint8Array;
  /** Holder of each fragment, by index. */
  readonly holders: ReadonlyMap<number, NodeRecord>;
  /** Fragments nobody took: the tessera can be rebuilt, with less to spare than it should have. */
  readonly unplaced: readonly number[];
  readonly sentBytes: number;
  /** Fragments that were there from an earlier try. */
  readonly resumedCount: number;
  readonly peerCount: number;
  readonly subnetCount: number;
  /** Nodes of the DHT that know the holders. */
  readonly keeperCount: number;
};

/**
 * Sends every fragment of a plan to a holder and announces the holders. What was acknowledged in an earlier
 * try, and its holder still says that it keeps, is not sent again.
 *
 * @throws `tooFew` when nobody holds fragments, or too few were placed to rebuild the tessera; what was
 * acknowledged stays recorded, so that a later try goes on from there
 */
export async function publish(
  parts: PublishParts,
  plan: Plan,
  onEvent: (event: PublishEvent) => void,
  signal: AbortSignal,
): Promise<PublishReport> {
  const { node } = parts;
  await note(parts, plan, "publishing", signal);
  const held = await earlier(parts, plan, signal);
  const resumedCount = held.size;
  const open = plan.fragments.map((_, index) => index)
    .filter((index) => !held.has(index));
  const providers = new Map<string, Provider>();
  const sentBytes = open.length === 0
    ? 0
    : await sendOpen(parts, { plan, open, held, providers }, onEvent, signal);
  const keeperCount = await announce(
    parts,
    plan,
    [...providers.values()],
    onEvent,
    signal,
  );
  const unplaced = open.filter((index) => !held.has(index));
  await note(
    parts,
    plan,
    unplaced.length === 0 ? "replicated" : "publishing",
    signal,
  );
  node.runtime.log.info("tessera.published", {
    tessera: toHex(plan.tesseraId),
    fragments: held.size,
    unplaced: unplaced.length,
  });
  const holders = new Map([...held].sort(([a], [b]) => a - b));
  return {
    planHash: plan.hash,
    holders,
    unplaced,
    sentBytes,
    resumedCount,
    peerCount: new Set([...holders.values()].map((h) => keyOf(h.id))).size,
    subnetCount: new Set([...holders.values()].map((h) => h.subnet)).size,
    keeperCount,
  };
}

/** Finds holders for what has none. @returns the bytes sent @throws `tooFew` */
async function sendOpen(
  parts: PublishParts,
  { plan, open, held, providers }: {
    readonly plan: Plan;
    readonly open: readonly number[];
    readonly held: Map<number, NodeRecord>;
    readonly providers: Map<string, Provider>;
  },
  onEvent: (event: PublishEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  const { candidates, hops } = await candidatesFor(parts, plan, signal);
  onEvent({ type: "peers", candidateCount: candidates.length, hops });
  if (candidates.length === 0) throw nobodyThere();
  const send = new Sender(parts, plan, candidates, held);
  const sentBytes = await send.all(open, (event, provider) => {
    if (provider !== undefined) keepNewest(providers, provider);
    onEvent(event);
  }, signal);
  if (held.size >= plan.dataCount) return sentBytes;
  const { length } = plan.fragments;
  const placed = `${held.size} of ${length} fragments found a holder`;
  const what = `${placed} among ${candidates.length} peers`;
  throw tooFew(plan, what, send.problem);
}

function tooFew(
  { dataCount }: Plan,
  what: string,
  problem: string,
): TesserasError {
  return new TesserasError(
    "tooFew",
    `Cannot publish: ${what}, ${dataCount} are needed to rebuild; ${problem}. What was placed stays, and the node keeps trying`,
  );
}

function nobodyThere(): TesserasError {
  return new TesserasError(
    "tooFew",
    "Cannot publish: no peer that stores fragments answered; is the node connected to a network?",
  );
}

/** Several answers of one holder overtake each other; the highest sequence lists the most fragments. */
export function keepNewest(
  providers: Map<string, Provider>,
  provider: Provider,
): void {
  const key = keyOf(provider.holder.id);
  const known = providers.get(key);
  if (known === undefined || known.record.sequence < provider.record.sequence) {
    providers.set(key, provider);
  }
}

function note(
  parts: PublishParts,
  plan: Plan,
  state: "publishing" | "replicated",
  signal: AbortSignal,
): Promise<void> {
  return parts.state.putPublication({
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    state,
    updatedAtMs: parts.node.runtime.clock.nowMs(),
  }, signal);
}

/** Fragments acknowledged in an earlier try, and by whom, as far as their holders still say so. */
async function earlier(
  parts: PublishParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<Map<number, NodeRecord>> {
  const rows = (await parts.state.care.placements(plan.hash, signal))
    .filter(({ index, lostAtMs, provedSinceMs }) =>
      index < plan.fragments.length && lostAtMs === undefined &&
      provedSinceMs !== undefined
    );
  const kept = await mapBounded(
    Map.groupBy(rows, ({ holder }) => keyOf(holder)).values(),
    ATTEST_PARALLEL,
    (ofHolder, laneSignal) => stillKept(parts, plan, ofHolder, laneSignal),
    signal,
  );
  return new Map(kept.flat());
}

/** Which of its placements a holder still vouches for. Whoever is silent may come back, and is not waited for. */
async function stillKept(
  { node, state }: PublishParts,
  plan: Plan,
  rows: readonly PlacementRow[],
  signal: AbortSignal,
): Promise<readonly (readonly [number, NodeRecord])[]> {
  const { clock, counters } = node.runtime;
  const holder = placedAt(node, rows);
  if (holder === undefined) return [];
  const word = await attest(node, holder, plan, signal);
  if (word.answer === "present" || word.answer === "silent") {
    counters.add("publish.holder_silent");
    return [];
  }
  const indices = word.answer === "keeps" ? word.indices : [];
  const nowMs = clock.nowMs();
  const marks = rows.map(({ planHash, index, holder }) => {
    const key = { planHash, index, holder };
    return indices.includes(index)
      ? { ...key, seenAtMs: nowMs }
      : { ...key, lostAtMs: nowMs };
  });
  await state.care.markPlacements(marks, signal);
  return rows.filter(({ index }) => indices.includes(index))
    .map(({ index }) => [index, holder] as const);
}

async function announce(
  parts: PublishParts,
  plan: Plan,
  providers: readonly Provider[],
  onEvent: (event: PublishEvent) => void,
  signal: AbortSignal,
): Promise<number> {
  // A resumed publish may have sent nothing: its holders announce themselves every hour.
  if (providers.length === 0) return 0;
  const { keeperCount } = await storeProviders(
    parts.node,
    plan.tesseraId,
    providers,
    signal,
  );
  onEvent({ type: "announced", keeperCount });
  if (keeperCount === 0) {
    throw new TesserasError(
      "tooFew",
      "Cannot announce the holders: no node of the DHT took their records. The fragments are placed, and the node keeps trying",
    );
  }
  return keeperCount;
}
