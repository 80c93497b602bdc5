/** The sessions a node holds, by peer: which of two to use, and which to close. Decides only; nothing here waits. */
import { type Clock, keyOf, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  CONNECTION_IDLE_MS,
  DUPLICATE_LINGER_MS,
  SIMULTANEOUS_OPEN_MS,
} from "@tesseras/core/limits";
import { type Realm, supersedes, type Twin } from "@tesseras/nat";
import type { NodeRecord, Request } from "@tesseras/wire";
import type { Activity } from "./ask.ts";
import { workOf } from "./cost.ts";
import type { Session } from "./hello.ts";
import { Silence } from "./silence.ts";
import { isDialable } from "./way.ts";

/** Sessions kept for one peer: the one in use, and one that lost against it and is running dry. */
const PER_PEER_MAX = 2;

/** A session and what is going on over it. All times are on the monotonic clock. */
export class Live implements Activity {
  readonly session: Session;
  readonly key: string;
  readonly openedMs: number;
  readonly silence: Silence;
  /** Whether somebody watches over what is asked here. */
  watched = false;
  readonly #clock: Clock;
  readonly #onAsked: ((live: Live) => void) | undefined;
  #record: NodeRecord;
  #activeMs: number;
  #silentSinceMs: number | undefined;
  #busyCount = 0;
  #doubt: AbortController | undefined;

  /** @param onAsked hears of every request of ours that leaves here */
  constructor(session: Session, clock: Clock, onAsked?: (live: Live) => void) {
    this.session = session;
    this.key = keyOf(session.peer.id);
    this.#clock = clock;
    this.#onAsked = onAsked;
    this.#record = session.peer;
    this.openedMs = clock.monotonicMs();
    this.silence = new Silence(this.openedMs);
    this.#activeMs = this.openedMs;
  }

  /** The newest record of the peer that came with a request or the hello: where it answers now. */
  get record(): NodeRecord {
    return this.#record;
  }

  /** A record of the same peer, which may have moved since the hello. */
  learn(record: NodeRecord): void {
    if (record.sequence > this.#record.sequence) this.#record = record;
  }

  /** When a request last began or ended here. */
  get activeMs(): number {
    return this.#activeMs;
  }

  /** Requests under way, in both directions. */
  get busyCount(): number {
    return this.#busyCount;
  }

  began(): Disposable {
    this.#busyCount++;
    this.#activeMs = this.#clock.monotonicMs();
    let under = true;
    return {
      [Symbol.dispose]: () => {
        if (!under) return;
        under = false;
        this.#busyCount--;
        this.#activeMs = this.#clock.monotonicMs();
      },
    };
  }

  asked(request: Request): Disposable {
    const quick = workOf(request) === 0;
    const asked = this.silence.asked(quick, this.#clock.monotonicMs());
    this.#onAsked?.(this);
    return asked;
  }

  heard(): void {
    this.silence.heard(this.#clock.monotonicMs());
    this.#silentSinceMs = undefined;
    this.#doubt?.abort();
    this.#doubt = undefined;
  }

  /** Doubts that the peer is there, until what it returns is disposed. Its signal aborts when the peer is heard. */
  doubt(): Disposable & { readonly signal: AbortSignal } {
    const doubt = new AbortController();
    this.#doubt = doubt;
    return {
      signal: doubt.signal,
      [Symbol.dispose]: () => {
        if (this.#doubt === doubt) this.#doubt = undefined;
      },
    };
  }

  /** Whether a doubt is open: any other session is better then. */
  get isDoubted(): boolean {
    return this.#doubt !== undefined;
  }

  /**
   * Notes that a request sent at `askedMs` met no answer in time, and returns for how long the peer has been silent to all of
   * them: no time at all when it has said anything since.
   */
  unanswered(askedMs: number): number {
    if (this.silence.heardMs > askedMs) return 0;
    this.#silentSinceMs ??= askedMs;
    return this.#clock.monotonicMs() - this.#silentSinceMs;
  }
}

/** A session to close, and why. */
export type Reaped = {
  readonly live: Live;
  readonly why: "idle" | "duplicate";
};

/** Every open session of one node. */
export class SessionPool {
  readonly #selfId: NodeId;
  readonly #realm: Realm;
  readonly #isNeeded: (id: NodeId) => boolean;
  /** Of each peer, the sessions still open: the one to use first. */
  readonly #byPeer = new Map<string, Live[]>();

  /** @param isNeeded whether the sessions with a peer stay, used or not */
  constructor(
    selfId: NodeId,
    realm: Realm = "lab",
    isNeeded: (id: NodeId) => boolean = () => false,
  ) {
    this.#selfId = selfId;
    this.#realm = realm;
    this.#isNeeded = isNeeded;
  }

  /** The session to use for a peer. */
  best(id: NodeId): Live | undefined {
    return this.#byPeer.get(keyOf(id))?.[0];
  }

  /** Another session of the same peer that was heard since the oldest request under way on this one. */
  another(live: Live): Live | undefined {
    const askedMs = live.silence.askedMs ?? Infinity;
    return this.#byPeer.get(live.key)?.find((other) =>
      other !== live && other.silence.heardMs >= askedMs
    );
  }

  /** The session with a peer that runs over no relay and was opened no earlier than that. */
  directSince(id: NodeId, sinceMs: number): Session | undefined {
    return this.#byPeer.get(keyOf(id))?.find(({ session, openedMs }) =>
      session.way !== "relayed" && openedMs >= sinceMs
    )?.session;
  }

  /** Whether this session is here already. */
  holds(session: Session): boolean {
    return this.#byPeer.get(keyOf(session.peer.id))
      ?.some((live) => live.session === session) ?? false;
  }

  /** Whether a session is one of these. */
  has(live: Live): boolean {
    return this.#byPeer.get(live.key)?.includes(live) ?? false;
  }

  /** Every session, also those that run dry. */
  *all(): Iterable<Live> {
    for (const lives of this.#byPeer.values()) yield* lives;
  }

  /** Adds a session and returns those that are too many for one peer. */
  add(live: Live): readonly Live[] {
    const lives = [...this.#byPeer.get(live.key) ?? []];
    const at = lives.length === 0 || this.#wins(live, lives[0]!) ? 0 : 1;
    lives.splice(at, 0, live);
    this.#byPeer.set(live.key, lives.slice(0, PER_PEER_MAX));
    return lives.slice(PER_PEER_MAX);
  }

  /** Forgets a session that is over. */
  remove(live: Live): void {
    const left = this.#byPeer.get(live.key)?.filter((other) => other !== live);
    if (left === undefined) return;
    if (left.length === 0) this.#byPeer.delete(live.key);
    else this.#byPeer.set(live.key, left);
  }

  /** The dialled session that was quiet for longest, to make room for another. */
  quietestDialled(): Live | undefined {
    let quietest: Live | undefined;
    for (const live of this.all()) {
      if (!live.session.dialled || live.busyCount > 0) continue;
      if (this.#isNeeded(live.session.peer.id)) continue;
      if (!quietest || live.activeMs < quietest.activeMs) quietest = live;
    }
    return quietest;
  }

  /** Whether a peer has a session that runs dry beside the one in use. */
  get hasDuplicates(): boolean {
    for (const lives of this.#byPeer.values()) {
      if (lives.length > 1) return true;
    }
    return false;
  }

  /** How many sessions we dialled. */
  get dialledCount(): number {
    let dialledCount = 0;
    for (const live of this.all()) if (live.session.dialled) dialledCount++;
    return dialledCount;
  }

  /**
   * What may be closed now. A session to a peer without addresses stays: nobody could open it again from here. For the same
   * reason a node that has none itself keeps the sessions it used last.
   */
  reapable(
    { nowMs, dialable }: { readonly nowMs: number; readonly dialable: boolean },
  ): readonly Reaped[] {
    const reaped: Reaped[] = [];
    const idle: Live[] = [];
    for (const lives of this.#byPeer.values()) {
      for (const [index, live] of lives.entries()) {
        if (live.busyCount > 0) continue;
        const quietMs = nowMs - live.activeMs;
        if (index > 0) {
          if (quietMs >= DUPLICATE_LINGER_MS) {
            reaped.push({ live, why: "duplicate" });
          }
        } else if (quietMs >= CONNECTION_IDLE_MS && this.#mayClose(live)) {
          idle.push(live);
        }
      }
    }
    idle.sort((a, b) => b.activeMs - a.activeMs);
    const closing = dialable ? idle : idle.slice(BUCKET_PEERS_MAX);
    return [
      ...reaped,
      ...closing.map((live) => ({ live, why: "idle" as const })),
    ];
  }

  /** Whether a new session is to be used instead of one that is open; both ends agree without a word, unless one doubts that. */
  #wins(live: Live, open: Live): boolean {
    if (open.isDoubted) return true;
    return supersedes(twinOf(live), twinOf(open), {
      self: this.#selfId,
      peer: live.session.peer.id,
      togetherMs: SIMULTANEOUS_OPEN_MS,
    });
  }

  /** Whoever was dialled once can be met again the same way; a relay is to know where we are. */
  #mayClose({ session, record }: Live): boolean {
    if (this.#isNeeded(session.peer.id)) return false;
    return session.dialled || isDialable(record, this.#realm);
  }
}

function twinOf({ session, openedMs }: Live): Twin {
  const { dialled, way } = session;
  return { dialled, relayed: way === "relayed", openedMs };
}
