/** Peers that fell silent, and the way back to them: half a network may be where they are. */
import { codeOf, keyOf, type NodeId, type Random } from "@tesseras/core";
import {
  LOST_PEERS_MAX,
  NODE_RECORD_TTL_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { NodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";

type Lost = { readonly peer: NodeRecord; readonly lostMs: number };

/** The peers lost last, for a day: longer ago their addresses say little. Times are of a monotonic clock. */
export class LostPeers {
  /** Lost first, first. */
  readonly #lost = new Map<string, Lost>();

  get size(): number {
    return this.#lost.size;
  }

  /** Notes a peer that was removed for its silence; the one lost first makes room. */
  note(peer: NodeRecord, nowMs: number): void {
    const key = keyOf(peer.id);
    this.#lost.delete(key);
    this.#lost.set(key, { peer, lostMs: nowMs });
    if (this.#lost.size <= LOST_PEERS_MAX) return;
    const [first] = this.#lost.keys();
    this.#lost.delete(first!);
  }

  /** One that was met again is lost no more. */
  found(id: NodeId): void {
    if (this.#lost.size > 0) this.#lost.delete(keyOf(id));
  }

  /** Any of them; `undefined` when none is left. */
  any(nowMs: number, random: Random): NodeRecord | undefined {
    for (const [key, { lostMs }] of this.#lost) {
      if (nowMs - lostMs > NODE_RECORD_TTL_MS) this.#lost.delete(key);
    }
    const all = [...this.#lost.values()];
    return all.length === 0 ? undefined : all[random.below(all.length)]!.peer;
  }
}

/**
 * Asks one lost peer whether it is there again, and looks round when it is. After a partition both halves have forgotten each
 * other and are content with themselves; nobody else would ever bring them together. One question now and then is
 * what that costs.
 */
export async function reunite(node: Node, signal: AbortSignal): Promise<void> {
  const { clock, counters, random } = node.runtime;
  const peer = node.lost.any(clock.monotonicMs(), random);
  if (peer === undefined) return;
  try {
    using deadline = clock.deadline(QUERY_TIMEOUT_MS, signal);
    await node.ping(peer, deadline.signal);
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    return;
  }
  counters.add("table.reunited");
  await findNodes(node, node.id, {}, signal);
}
