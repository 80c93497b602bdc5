/** The sessions of a relay: those that were granted, their ports, what passed through them, and how they end. */
import {
  type Address,
  codeOf,
  keyOf,
  type NodeId,
  orAbort,
  type Runtime,
  subnetOf,
  TesserasError,
} from "@tesseras/core";
import {
  type EndedSession,
  type MonthVolume,
  otherSide,
  RelayBook,
  type RelayLimits,
  type RelaySession,
  type Side,
} from "@tesseras/nat";
import type {
  ForwardedPair,
  Forwarder,
  Lease,
  SharedQuotas,
} from "@tesseras/relay";
import type { NodeRecord, RelayEnd } from "@tesseras/wire";
import { type RelayNo, relayNo } from "./relay_refusals.ts";

/** What sessions are made of. */
export type RelaySessionsParts = {
  readonly self: NodeId;
  /** Borrowed. */
  readonly forwarder: Forwarder;
  readonly limits: RelayLimits;
  readonly volume: MonthVolume;
  /** Borrowed; without them the quotas are this relay's own. */
  readonly quotas: SharedQuotas | undefined;
  /** Hears of each peer that is to be told of an end. Must not throw. */
  readonly onEnd: (farewell: Farewell) => void;
};

/** A request that was checked. */
export type Asker = {
  readonly record: NodeRecord;
  /** Where the peer's own connection comes from now. */
  readonly at: Address;
  readonly to: NodeId;
  readonly isReciprocal: boolean;
};

/** A place in a session. */
export type Granted = { readonly session: RelaySession; readonly port: number };

/** A peer whose session ends, or is about to. */
export type Farewell = {
  readonly to: NodeRecord;
  readonly session: Uint8Array;
  readonly why: RelayEnd;
  readonly graceMs: number;
};

type Member = { readonly record: NodeRecord; readonly lease: Lease };

type Open = {
  readonly session: RelaySession;
  readonly pair: Promise<ForwardedPair>;
  readonly members: [Member | undefined, Member | undefined];
  /** What has been counted of the pair's tally. */
  countedBytes: number;
  /** The bound pair, once it is there. */
  bound: ForwardedPair | undefined;
  /** One of the two, or the pair itself, wants it ended then. */
  ending: {
    readonly atMs: number;
    readonly why: RelayEnd;
    readonly by: Side | undefined;
  } | undefined;
};

const never = new AbortController().signal;

/** The sessions of one relay. */
export class RelaySessions {
  readonly #parts: RelaySessionsParts;
  readonly #runtime: Runtime;
  readonly #book: RelayBook;
  readonly #open = new Map<string, Open>();
  #leases = 0;
  /** Until then the store of quotas is left alone. */
  #awayUntilMs = -Infinity;

  constructor(parts: RelaySessionsParts, runtime: Runtime) {
    this.#parts = parts;
    this.#runtime = runtime;
    const { limits, volume } = parts;
    this.#book = new RelayBook({ limits, volume, random: runtime.random });
  }

  /** Sessions open now. */
  get count(): number {
    return this.#book.count;
  }

  /** Sessions that would still be taken. */
  get freeSlots(): number {
    return this.#book.freeSlots;
  }

  /** The peer on the other side of a session; `undefined` when there is no such session, or the peer is none of its two. */
  partnerOf(session: Uint8Array, peer: NodeId): string | undefined {
    const found = this.#book.get(session);
    const side = found?.sideOf(keyOf(peer));
    return side === undefined ? undefined : found?.peers[otherSide(side)];
  }

  /**
   * Opens a session, lets the second peer into it, or follows one that has moved.
   *
   * @throws `overloaded` when there is no room, `refused` when a quota is used up, or the signal's error
   */
  async ask(asker: Asker, signal: AbortSignal): Promise<Granted> {
    const { record, at, isReciprocal } = asker;
    const { clock } = this.#runtime;
    const to = keyOf(asker.to);
    const wanted = { from: keyOf(record.id), at, to, isReciprocal };
    this.sweep();
    // Asked before the shared store is, so that nobody who is refused here keeps it busy.
    const why = this.#book.refusal(wanted, clock.monotonicMs());
    if (why !== undefined) throw this.#no(why);
    const lease = await this.#takeLease(asker, signal);
    const answer = this.#book.ask(wanted, clock.monotonicMs());
    if (!answer.ok) {
      // Only whoever is in no session of this pair is refused, so its lease is of no use to anybody.
      await this.#release(lease);
      throw this.#no(answer.why);
    }
    const { session, side, isNew } = answer;
    const open = isNew
      ? this.#begin(session, at)
      : this.#open.get(keyOf(session.id));
    // The relay was closed while a shared store was asked.
    if (open === undefined) throw this.#no("draining");
    const before = open.members[side]?.lease;
    open.members[side] = { record, lease };
    if (before !== undefined && before !== lease) await this.#release(before);
    const pair = await orAbort(open.pair, signal);
    if (!isNew) {
      await pair.relock(side, at.ip);
      await pair.lift(session.terms);
    }
    return { session, port: pair.ports[side] };
  }

  /**
   * Ends a session at the wish of one of its peers, after the grace.
   *
   * @returns whether the peer is one of the two
   */
  end(
    session: Uint8Array,
    peer: NodeId,
    { why, graceMs }: { readonly why: RelayEnd; readonly graceMs: number },
  ): boolean {
    const open = this.#open.get(keyOf(session));
    const by = open?.session.sideOf(keyOf(peer));
    if (open === undefined || by === undefined) return false;
    const atMs = this.#runtime.clock.monotonicMs() + graceMs;
    // The first word counts, or the other peer would be kept waiting again and again; an earlier end is always granted.
    if (open.ending === undefined || atMs < open.ending.atMs) {
      open.ending = { atMs, why, by };
    }
    this.sweep();
    return true;
  }

  /** Counts what has passed, and ends what is over. To be called every second. */
  sweep(): void {
    const { clock } = this.#runtime;
    const nowMs = clock.monotonicMs();
    for (const open of [...this.#open.values()]) {
      this.#account(open, nowMs);
      if (open.ending === undefined || open.ending.atMs > nowMs) continue;
      this.#book.close(open.session.id, open.session.peers[0]);
    }
    for (const ended of this.#book.sweep({ nowMs, unixMs: clock.nowMs() })) {
      this.#finish(ended);
    }
  }

  /** Holds the leases of every session for longer. */
  async renew(signal: AbortSignal): Promise<void> {
    for (const { members } of [...this.#open.values()]) {
      for (const member of members) {
        // One whose lease was lost meanwhile keeps its session: it was granted.
        if (member !== undefined) await this.#hold(member.lease, signal);
      }
    }
  }

  /** Takes no more sessions, tells both peers of each that it is about to end, and ends those that are left after the grace. */
  async drain(graceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#runtime;
    this.#book.drain();
    for (const { session, members } of this.#open.values()) {
      for (const member of members) {
        if (member === undefined) continue;
        const { record: to } = member;
        this.#parts.onEnd({
          to,
          session: session.id,
          why: "draining",
          graceMs,
        });
      }
    }
    const endMs = clock.monotonicMs() + graceMs;
    while (this.count > 0 && clock.monotonicMs() < endMs) {
      await clock.sleep(DRAIN_LOOK_MS, signal);
      this.sweep();
    }
  }

  /** Closes every port and gives every lease back, without another word to anybody. */
  async close(): Promise<void> {
    const left = [...this.#open.values()];
    this.#open.clear();
    const leases = left.flatMap(({ members }) => members)
      .filter((member) => member !== undefined);
    for (const { bound } of left) bound?.close();
    await Promise.all(leases.map(({ lease }) => this.#release(lease)));
  }

  #begin(session: RelaySession, { ip }: Address): Open {
    const key = keyOf(session.id);
    const { terms } = session;
    const pair = this.#parts.forwarder.open({ ip, terms }, never);
    const open: Open = {
      session,
      pair,
      members: [undefined, undefined],
      countedBytes: 0,
      bound: undefined,
      ending: undefined,
    };
    this.#open.set(key, open);
    this.#runtime.counters.add("relay.opened");
    const endNow = (): void => {
      if (this.#open.get(key) !== open) return;
      const atMs = this.#runtime.clock.monotonicMs();
      open.ending ??= { atMs, why: "idle", by: undefined };
      this.#book.close(session.id, session.peers[0]);
      this.sweep();
    };
    pair.then((bound) => {
      open.bound = bound;
      // It may have ended while its ports were bound.
      if (this.#open.get(key) !== open) return bound.close();
      bound.ended.then((why) => {
        const atMs = this.#runtime.clock.monotonicMs();
        open.ending ??= { atMs, why: wordFor(why), by: undefined };
        endNow();
      });
    }, endNow);
    return open;
  }

  #account(open: Open, nowMs: number): void {
    const bytes = open.bound?.tally.forwardedBytes ?? 0;
    this.#book.forwarded(open.session, bytes - open.countedBytes, nowMs);
    open.countedBytes = bytes;
  }

  #finish({ session, why }: EndedSession): void {
    const key = keyOf(session.id);
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    this.#runtime.counters.add("relay.ended");
    open.bound?.close();
    const word = open.ending?.why ?? wordFor(why);
    for (const [side, member] of open.members.entries()) {
      if (member === undefined) continue;
      this.#release(member.lease);
      // Who wanted the end knows of it, and of a session without ports nobody has heard.
      if (side === open.ending?.by || open.bound === undefined) continue;
      const { record: to } = member;
      this.#parts.onEnd({ to, session: session.id, why: word, graceMs: 0 });
    }
  }

  #leaseOf({ record, at, to }: Asker): Lease {
    const { perPeerMax, perSubnetMax } = this.#parts.limits;
    const from = keyOf(record.id);
    const subnet = subnetOf(at.ip);
    return {
      // No two are alike, so that giving back an old one never takes a new one away.
      name: `${keyOf(this.#parts.self)}/${from}/${keyOf(to)}/${++this.#leases}`,
      subjects: [
        { name: from, max: perPeerMax },
        { name: subnet, max: perSubnetMax },
      ].filter(({ max }) => Number.isFinite(max)),
    };
  }

  /** Sees to it that the asker's place counts among all relays, in the network where it is now. */
  async #takeLease(asker: Asker, signal: AbortSignal): Promise<Lease> {
    const lease = this.#leaseOf(asker);
    const held = this.#heldBy(keyOf(asker.record.id), keyOf(asker.to));
    if (held !== undefined) {
      if (isSame(held, lease)) return held;
      this.#runtime.counters.add("relay.moved");
      await orAbort(this.#release(held), signal);
    }
    if (!await this.#hold(lease, signal)) throw this.#no("shared quota");
    return lease;
  }

  #heldBy(from: string, to: string): Lease | undefined {
    for (const { session, members } of this.#open.values()) {
      const side = session.sideOf(from);
      if (side === undefined || session.sideOf(to) === undefined) continue;
      return members[side]?.lease;
    }
    return undefined;
  }

  /** Whether there is room, as far as anybody can tell: while the store is away this relay's own quotas must do. */
  async #hold(lease: Lease, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#runtime;
    if (clock.monotonicMs() < this.#awayUntilMs) return true;
    try {
      return await this.#parts.quotas?.take(lease, signal) ?? true;
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      this.#noteAway();
      return true;
    }
  }

  /** Never rejects: what is not given back runs out. */
  async #release(lease: Lease): Promise<void> {
    if (this.#runtime.clock.monotonicMs() < this.#awayUntilMs) return;
    try {
      await this.#parts.quotas?.release(lease, never);
    } catch {
      this.#noteAway();
    }
  }

  #noteAway(): void {
    this.#awayUntilMs = this.#runtime.clock.monotonicMs() + AWAY_MS;
    this.#runtime.counters.add("relay.quotas_unread");
  }

  #no(refusal: RelayNo): TesserasError {
    return relayNo(refusal, this.#runtime.counters);
  }
}

/** After a failure of the store peers are not kept waiting for it for so long. */
const AWAY_MS = 10_000;
/** How often a draining relay looks whether its peers have moved. */
const DRAIN_LOOK_MS = 25;

/** What peers are told. A second peer that never came left the first alone, which is idle. */
function wordFor(why: EndedSession["why"]): RelayEnd {
  return why === "alone" ? "idle" : why;
}

/** Whether two leases of one peer count against the same. */
function isSame(one: Lease, other: Lease): boolean {
  return one.subjects.every(({ name }, at) =>
    name === other.subjects[at]?.name
  );
}
