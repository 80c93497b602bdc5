/** A session between two nodes of a network of messages, as one of them sees it. */
import { type Address, keyOf } from "@tesseras/core";
import { BUCKET_PEERS_MAX, CONNECTION_IDLE_MS } from "@tesseras/core/limits";
import type { Meter } from "@tesseras/net";
import type { NodeRecord } from "@tesseras/wire";
import type { MessagePeers } from "./message_peers.ts";

/** What is known of a session from its start. */
type Opened = {
  /** The peer's record as it was then. */
  readonly peer: NodeRecord;
  readonly remote: Address;
  readonly dialled: boolean;
  /** What it takes of the answerer's room. */
  readonly place: Disposable | undefined;
};

/** One end of a session. Times are on the virtual clock. */
export class End {
  readonly owner: MessagePeers;
  readonly key: string;
  readonly peer: NodeRecord;
  readonly remote: Address;
  readonly dialled: boolean;
  readonly openedMs: number;
  activeMs: number;
  heardMs = -Infinity;
  silentSinceMs: number | undefined;
  /** Requests under way, in both directions. */
  busyCount = 0;
  isClosed = false;
  /** What the peer may ask here; made with its first request. */
  meter: Meter | undefined;
  #other: End | undefined;
  #place: Disposable | undefined;

  constructor(owner: MessagePeers, nowMs: number, opened: Opened) {
    this.owner = owner;
    this.peer = opened.peer;
    this.key = keyOf(opened.peer.id);
    this.remote = opened.remote;
    this.dialled = opened.dialled;
    this.#place = opened.place;
    this.openedMs = nowMs;
    this.activeMs = nowMs;
  }

  /** The other end. */
  get other(): End {
    return this.#other!;
  }

  /** Joins two ends. */
  pair(other: End): void {
    this.#other = other;
    other.#other = this;
  }

  /** Gives its room back; what is under way may end. */
  leave(): void {
    this.#place?.[Symbol.dispose]();
    this.#place = undefined;
  }
}

/** A request begins. */
export function begin(one: End, nowMs: number): void {
  one.busyCount++;
  one.activeMs = nowMs;
}

/** A request is over. */
export function end(one: End, nowMs: number): void {
  one.busyCount--;
  one.activeMs = nowMs;
}

/** Sessions to close, by the rules of a real node's pool: a peer without addresses is kept, and so are the last used of a node that has none. */
export function idleOf(
  ends: Iterable<End>,
  { nowMs, dialable }: { readonly nowMs: number; readonly dialable: boolean },
): readonly End[] {
  const idle: End[] = [];
  for (const one of ends) {
    const mayReopen = one.dialled || one.peer.addresses.length > 0;
    if (one.busyCount > 0 || !mayReopen) continue;
    if (nowMs - one.activeMs >= CONNECTION_IDLE_MS) idle.push(one);
  }
  if (dialable) return idle;
  return idle.sort((a, b) => b.activeMs - a.activeMs).slice(BUCKET_PEERS_MAX);
}
