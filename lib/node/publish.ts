/** The whole publish story: find peers, place fragments, send them, tell the DHT. */
import {
  codeOf,
  keyOf,
  keyOfTessera,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import type { Plan } from "@tesseras/tessera";
import { CAPABILITIES, type NodeRecord, readNodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
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
 * try is not sent again.
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
  let sentBytes = 0;
  if (open.length > 0) {
    const candidates = await candidatesFor(parts, plan, onEvent, signal);
    const send = new Sender(parts, plan, candidates, held);
    sentBytes = await send.all(open, (event, provider) => {
      if (provider !== undefined) keepNewest(providers, provider);
      onEvent(event);
    }, signal);
  }
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

/** Several answers of one holder overtake each other; the highest sequence lists the most fragments. */
function keepNewest(
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

/** Fragments acknowledged in an earlier try, and by whom. */
async function earlier(
  parts: PublishParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<Map<number, NodeRecord>> {
  const { node, state } = parts;
  const held = new Map<number, NodeRecord>();
  for (const row of await state.placements(plan.hash, signal)) {
    if (row.index >= plan.fragments.length) continue;
    try {
      // Good at the time of its word; that it has run out since takes nothing back.
      const rules = { nowMs: row.ackedAtMs, powBits: node.powBits };
      held.set(row.index, readNodeRecord(row.record, rules));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      // Whoever it was cannot be asked by this row: the fragment is offered anew.
      node.runtime.counters.add("publish.placement_unreadable");
    }
  }
  return held;
}

async function candidatesFor(
  parts: PublishParts,
  plan: Plan,
  onEvent: (event: PublishEvent) => void,
  signal: AbortSignal,
): Promise<readonly NodeRecord[]> {
  const found = await findNodes(parts.node, keyOfTessera(plan.tesseraId), {
    want: CAPABILITIES.STORAGE,
    count: Math.max(BUCKET_PEERS_MAX, plan.fragments.length),
  }, signal);
  onEvent({
    type: "peers",
    candidateCount: found.closest.length,
    hops: found.hops,
  });
  if (found.closest.length === 0) {
    throw new TesserasError(
      "tooFew",
      "Cannot publish: no peer that stores fragments answered; is the node connected to a network?",
    );
  }
  return found.closest;
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
      "Cannot announce the holders: no node of the DHT took their records. The fragments are placed; publish again to go on",
    );
  }
  return keeperCount;
}
