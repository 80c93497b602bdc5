/** The peers of {@link MemoryState}. */
import { compare, keyOf, type NodeId } from "@tesseras/core";
import { checkPeer, copied, type PeerRow } from "./rows.ts";

/** Peers in memory. */
export class MemoryPeers {
  readonly #rows = new Map<string, PeerRow>();

  /** Of `State.putPeers`. */
  put(rows: readonly PeerRow[]): void {
    for (const row of rows) checkPeer(row);
    for (const row of rows) this.#rows.set(keyOf(row.id), copied(row));
  }

  /** Of `State.removePeers`. */
  remove(ids: readonly NodeId[]): void {
    for (const id of ids) this.#rows.delete(keyOf(id));
  }

  /** Of `State.peers`. */
  latest(limit: number): readonly PeerRow[] {
    return [...this.#rows.values()].sort((a, b) =>
      b.lastSeenMs - a.lastSeenMs || compare(a.id, b.id)
    ).slice(0, limit);
  }
}
