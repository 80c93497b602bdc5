/** Every session of one relay: who gets one, and when it is over. */
import { type Address, keyOf, type Random, subnetOf } from "@tesseras/core";
import {
  MEETING_NONCE_BYTES,
  RELAY_BURST_BYTES,
  RELAY_IDLE_MS,
  RELAY_JOIN_MS,
  RELAY_RECIPROCAL_BYTES_PER_SECOND,
  RELAY_SESSIONS_MAX,
  RELAY_SESSIONS_PER_PEER_MAX,
  RELAY_SESSIONS_PER_SUBNET_MAX,
  RELAY_STRANGER_BYTES_PER_SECOND,
  RELAY_STRANGER_MS,
} from "@tesseras/core/limits";
import { MonthVolume } from "./allowance.ts";
import {
  RelaySession,
  type SessionEnd,
  type SessionTerms,
  type Side,
} from "./relay_session.ts";

/** What one relay grants. */
export type RelayLimits = {
  readonly sessionsMax: number;
  readonly perPeerMax: number;
  readonly perSubnetMax: number;
  readonly reciprocalBytesPerSecond: number;
  readonly strangerBytesPerSecond: number;
  readonly burstBytes: number;
  readonly strangerMs: number;
  readonly idleMs: number;
  readonly joinMs: number;
};

/** The user guide's figures; see their lines in the limits. */
export const RELAY_DEFAULTS: RelayLimits = {
  sessionsMax: RELAY_SESSIONS_MAX,
  perPeerMax: RELAY_SESSIONS_PER_PEER_MAX,
  perSubnetMax: RELAY_SESSIONS_PER_SUBNET_MAX,
  reciprocalBytesPerSecond: RELAY_RECIPROCAL_BYTES_PER_SECOND,
  strangerBytesPerSecond: RELAY_STRANGER_BYTES_PER_SECOND,
  burstBytes: RELAY_BURST_BYTES,
  strangerMs: RELAY_STRANGER_MS,
  idleMs: RELAY_IDLE_MS,
  joinMs: RELAY_JOIN_MS,
};

/** A request whose signature was checked. Ids as text. */
export type RelayAsk = {
  readonly from: string;
  /** Where the asker's own connection to the relay comes from now. */
  readonly at: Address;
  /** Whom it wants to reach. */
  readonly to: string;
  /** Whether it keeps fragments for others. */
  readonly isReciprocal: boolean;
};

/** Why there is no session. */
export type RelayRefusal =
  | "self"
  | "draining"
  | "volume"
  | "full"
  | "peer quota"
  | "subnet quota";

/** What an ask came to. */
export type RelayAnswer =
  | {
    readonly ok: true;
    readonly session: RelaySession;
    readonly side: Side;
    /** Whether this ask opened it: its ports are to be bound. */
    readonly isNew: boolean;
  }
  | { readonly ok: false; readonly why: RelayRefusal };

/** A session that is over: its ports are to be closed, and both peers told. */
export type EndedSession = {
  readonly session: RelaySession;
  readonly why: SessionEnd | "volume";
};

type Entry = {
  readonly session: RelaySession;
  readonly pair: string;
  /** What each side that asked counts against; a peer that was only named pays nothing. */
  readonly charged: [
    readonly string[] | undefined,
    readonly string[] | undefined,
  ];
};

/**
 * The sessions of one relay. Both peers ask for the same pair, each for itself: nothing is ever sent to somebody who did not, so nobody
 * can be aimed at. Quotas count who asked. Times are monotonic, but for {@link RelayBook.sweep}, which takes both clocks.
 */
export class RelayBook {
  readonly #limits: RelayLimits;
  readonly #volume: MonthVolume;
  readonly #random: Random;
  readonly #byPair = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();
  /** Sessions by identity and by subnet. */
  readonly #charges = new Map<string, number>();
  /** Ended since the last sweep, which tells of them. */
  #ended: EndedSession[] = [];
  #draining = false;

  constructor(
    parts: {
      readonly limits: RelayLimits;
      readonly volume: MonthVolume;
      readonly random: Random;
    },
  ) {
    this.#limits = parts.limits;
    this.#volume = parts.volume;
    this.#random = parts.random;
  }

  /** Sessions open now. */
  get count(): number {
    return this.#byPair.size;
  }

  /** Sessions that would still be taken: what the relay's record says. */
  get freeSlots(): number {
    if (this.#draining || this.#volume.isSpent) return 0;
    return Math.max(0, this.#limits.sessionsMax - this.count);
  }

  /** Whether it takes no more sessions because the process is about to end. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** Every open session. */
  sessions(): readonly RelaySession[] {
    return Array.from(this.#byPair.values(), ({ session }) => session);
  }

  /** The session of this number. */
  get(id: Uint8Array): RelaySession | undefined {
    return this.#byId.get(keyOf(id))?.session;
  }

  /** Why an ask would get no session now; `undefined` when it would get one. */
  refusal(ask: RelayAsk, nowMs: number): RelayRefusal | undefined {
    if (ask.from === ask.to) return "self";
    const open = this.#live(ask, nowMs);
    if (open === undefined) return this.#refusal() ?? this.#quota(ask);
    const side = open.session.sideOf(ask.from) ?? 0;
    return open.charged[side] === undefined ? this.#quota(ask) : undefined;
  }

  /** Opens a session, or lets the second peer into it, or notes that one of the two has moved. */
  ask(ask: RelayAsk, nowMs: number): RelayAnswer {
    const why = this.refusal(ask, nowMs);
    if (why !== undefined) return { ok: false, why };
    const open = this.#live(ask, nowMs);
    if (open !== undefined) return this.#join(open, ask, nowMs);
    const pair = pairOf(ask.from, ask.to);
    const session = new RelaySession({
      id: this.#random.bytes(MEETING_NONCE_BYTES),
      peers: [ask.from, ask.to],
      ip: ask.at.ip,
      terms: this.#terms(ask.isReciprocal),
    }, nowMs);
    const entry: Entry = { session, pair, charged: [undefined, undefined] };
    this.#charge(entry, 0, ask);
    this.#byPair.set(pair, entry);
    this.#byId.set(keyOf(session.id), entry);
    return { ok: true, session, side: 0, isNew: true };
  }

  /** Counts bytes that the data path forwarded for a session since it told last; they keep it open, and count against the month. */
  forwarded(session: RelaySession, bytes: number, nowMs: number): void {
    session.forwarded(bytes, nowMs);
    this.#volume.add(Math.max(0, bytes));
  }

  /** Ends a session at the wish of one of its peers; `false` when the peer is none of them. */
  close(id: Uint8Array, peer: string): boolean {
    const entry = this.#byId.get(keyOf(id));
    if (entry?.session.sideOf(peer) === undefined) return false;
    entry.session.close();
    this.#bury(entry);
    return true;
  }

  /** Takes no more sessions; those that are open go on until their peers have moved. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends what is over, all of them when the month's volume is, and returns what ended since the last time, each once. To be called every second or so. */
  sweep(
    { nowMs, unixMs }: { readonly nowMs: number; readonly unixMs: number },
  ): readonly EndedSession[] {
    this.#volume.roll(unixMs);
    for (const entry of [...this.#byPair.values()]) {
      const isOver = entry.session.expire(nowMs) !== undefined;
      if (isOver || this.#volume.isSpent) this.#bury(entry);
    }
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** The session of a pair, unless its time is up, which ends it. */
  #live({ from, to }: RelayAsk, nowMs: number): Entry | undefined {
    const entry = this.#byPair.get(pairOf(from, to));
    if (entry?.session.expire(nowMs) === undefined) return entry;
    this.#bury(entry);
    return undefined;
  }

  #join(entry: Entry, ask: RelayAsk, nowMs: number): RelayAnswer {
    const { session } = entry;
    // The pair is found by both ids, so the asker is one of the two.
    const side = session.sideOf(ask.from) ?? 0;
    this.#uncharge(entry, side);
    this.#charge(entry, side, ask);
    session.join(side, ask.at.ip, nowMs);
    session.lift(this.#terms(ask.isReciprocal), nowMs);
    return { ok: true, session, side, isNew: false };
  }

  #refusal(): RelayRefusal | undefined {
    if (this.#draining) return "draining";
    if (this.#volume.isSpent) return "volume";
    return this.count >= this.#limits.sessionsMax ? "full" : undefined;
  }

  #quota({ from, at }: RelayAsk): RelayRefusal | undefined {
    const { perPeerMax, perSubnetMax } = this.#limits;
    if ((this.#charges.get(from) ?? 0) >= perPeerMax) return "peer quota";
    const inSubnet = this.#charges.get(subnetOf(at.ip)) ?? 0;
    return inSubnet >= perSubnetMax ? "subnet quota" : undefined;
  }

  #terms(isReciprocal: boolean): SessionTerms {
    const limits = this.#limits;
    return {
      bytesPerSecond: isReciprocal
        ? limits.reciprocalBytesPerSecond
        : limits.strangerBytesPerSecond,
      burstBytes: limits.burstBytes,
      lastsMs: isReciprocal ? Infinity : limits.strangerMs,
      idleMs: limits.idleMs,
      joinMs: limits.joinMs,
    };
  }

  #charge(entry: Entry, side: Side, { from, at }: RelayAsk): void {
    const keys = [from, subnetOf(at.ip)];
    entry.charged[side] = keys;
    for (const key of keys) {
      this.#charges.set(key, (this.#charges.get(key) ?? 0) + 1);
    }
  }

  #uncharge(entry: Entry, side: Side): void {
    for (const key of entry.charged[side] ?? []) {
      const left = (this.#charges.get(key) ?? 0) - 1;
      if (left > 0) this.#charges.set(key, left);
      else this.#charges.delete(key);
    }
    entry.charged[side] = undefined;
  }

  /** Frees everything but the ports, which are closed when the sweep has told of the end. */
  #bury(entry: Entry): void {
    const { session } = entry;
    this.#ended.push({ session, why: session.ended ?? "volume" });
    session.close();
    this.#byPair.delete(entry.pair);
    this.#byId.delete(keyOf(entry.session.id));
    this.#uncharge(entry, 0);
    this.#uncharge(entry, 1);
  }
}

/** The same for both orders. */
function pairOf(one: string, other: string): string {
  return one < other ? `${one}:${other}` : `${other}:${one}`;
}
