/** Who may introduce us to a peer that cannot be dialled: whoever named it has talked to it. */
import { equal, keyOf, type NodeId } from "@tesseras/core";
import {
  INTRODUCERS_MAX,
  INTRODUCERS_REMEMBERED_MAX,
} from "@tesseras/core/limits";
import type { Realm } from "@tesseras/nat";
import { isDialable } from "@tesseras/net";
import type { NodeRecord } from "@tesseras/wire";

/** For every peer that cannot be dialled the last few who named it. */
export class Introducers {
  /** By peer, the latest first; the peer named longest ago first. */
  readonly #byPeer = new Map<string, readonly NodeId[]>();

  readonly #realm: Realm | undefined;

  /** How many peers are remembered, `INTRODUCERS_REMEMBERED_MAX` at most. */
  get size(): number {
    return this.#byPeer.size;
  }

  /** @param realm in which peers can be dialled or not; `undefined` where nobody is ever introduced */
  constructor(realm: Realm | undefined) {
    this.#realm = realm;
  }

  /** Somebody has named peers; those that can be dialled need nobody. */
  named(peers: readonly NodeRecord[], by: NodeRecord): void {
    if (this.#realm === undefined) return;
    for (const peer of peers) {
      if (!isDialable(peer, this.#realm)) this.#note(peer.id, by.id);
    }
  }

  #note(peer: NodeId, by: NodeId): void {
    const key = keyOf(peer);
    const others = (this.#byPeer.get(key) ?? []).filter((id) => !equal(id, by));
    this.#byPeer.delete(key);
    this.#byPeer.set(key, [by, ...others].slice(0, INTRODUCERS_MAX));
    if (this.#byPeer.size <= INTRODUCERS_REMEMBERED_MAX) return;
    const [oldest] = this.#byPeer.keys();
    this.#byPeer.delete(oldest!);
  }

  /** Who named a peer, the latest first. */
  of(peer: NodeId): readonly NodeId[] {
    return this.#byPeer.get(keyOf(peer)) ?? [];
  }
}
