/** Meeting whom nobody can dial: the part of who asks, of who introduces, and of who is asked. */
import {
  type Address,
  codeOf,
  equal,
  formatAddress,
  keyOf,
  type NodeId,
  type Runtime,
  type Tasks,
  type TesserasError,
} from "@tesseras/core";
import {
  DIAL_TIMEOUT_MS,
  MEETING_NONCE_BYTES,
  PUNCH_ADDRESSES_MAX,
} from "@tesseras/core/limits";
import {
  askerWaitMs,
  familyOf,
  Introductions,
  isPlausible,
  PunchPlaces,
  punchTargets,
  targetWaitMs,
} from "@tesseras/nat";
import {
  CONSENT,
  type Fresh,
  type FreshForm,
  INTRODUCTION,
  type Meeting,
  type NodeRecord,
  type PunchIntro,
  type PunchRequest,
  readFresh,
  type Rendezvous,
  type Request,
  signFresh,
} from "@tesseras/wire";
import type { Answer, AskOptions } from "./ask.ts";
import { type AgreedPunch, type AttemptParts, knock } from "./attempts.ts";
import { Bell } from "./bell.ts";
import type { Session } from "./hello.ts";
import { refusalOf, type Why } from "./meeting_refusals.ts";
import type { Live } from "./pool.ts";
import type { Handler, Reply } from "./serve.ts";
import { innerOf, type Standing } from "./standing.ts";

/** What meetings are made of. */
export type MeetingParts = Omit<AttemptParts, "arrivals"> & {
  readonly standing: Standing;
  readonly tasks: Tasks;
  /** The session in use with a peer. */
  readonly live: (id: NodeId) => Live | undefined;
  /** Asks over one session, and over no other. */
  readonly askOver: <R extends Request>(
    live: Live,
    call: AskOptions & { readonly request: R },
    signal: AbortSignal,
  ) => Promise<Answer<R>>;
  /** Throws when no dial may begin. */
  readonly makeRoom: () => void;
  /** Comes to a relay at which somebody wants to meet us. */
  readonly follow: (
    rendezvous: Rendezvous,
    asker: Pick<NodeRecord, "id" | "publicKey">,
    signal: AbortSignal,
  ) => Promise<void>;
};

/** Whom we want to meet, by whose help, and where, if not at our own doors. */
export type Wish = {
  readonly peer: NodeRecord;
  readonly introducer: Live;
  readonly rendezvous?: Rendezvous | undefined;
};

/** Every meeting of one node. */
export class Meetings {
  readonly #parts: MeetingParts;
  readonly #runtime: Runtime;
  readonly #arrivals = new Bell();
  readonly #places: PunchPlaces;
  readonly #introductions: Introductions;
  /** Punches under way by peer. */
  readonly #under = new Map<string, number>();
  /** Introductions passing through, by the subnet of who asks. */
  readonly #passing: PunchPlaces;

  constructor(parts: MeetingParts) {
    this.#parts = parts;
    this.#runtime = parts.runtime;
    // In a lab all share a subnet.
    const isLab = parts.standing.realm === "lab";
    const perSubnetMax = isLab ? Infinity : undefined;
    this.#places = new PunchPlaces(perSubnetMax);
    this.#passing = new PunchPlaces(perSubnetMax);
    const { id } = parts.self.identity;
    this.#introductions = new Introductions(id, this.#places);
  }

  /** A session has begun: whoever knocks at that peer may look whether it is this. */
  arrived(): void {
    this.#arrivals.ring();
  }

  /** Answers what belongs to meetings, and leaves everything else to this handler. */
  before(handler: Handler): Handler {
    return async (from, request, bulk, signal) => {
      const { type } = request;
      if (type !== "punch_intro" && type !== "punch_request") {
        return await handler(from, request, bulk, signal);
      }
      this.#runtime.counters.add(`request.${type}`);
      return type === "punch_intro"
        ? await this.introduce(from, request, signal)
        : await this.consent(from, request, signal);
    };
  }

  /** Whether a peer and we knock at each other now. */
  isUnderWay(id: NodeId): boolean {
    return this.#under.has(keyOf(id));
  }

  /**
   * Asks somebody who has a session with us to introduce us to a peer, and agrees with that one on a moment. With a rendezvous the
   * peer has come there when this resolves, and nobody knocks.
   *
   * @throws `absent` when the introducer has no session with it; `forged`, `refused`, `overloaded`, `unreachable` and whatever {@link ask}
   * throws
   */
  async arrange(
    { peer, introducer, rendezvous }: Wish,
    signal: AbortSignal,
  ): Promise<AgreedPunch> {
    const { clock, random } = this.#runtime;
    const { askOver, self, standing } = this.#parts;
    const sinceMs = clock.monotonicMs();
    const meeting = random.bytes(MEETING_NONCE_BYTES);
    const addresses = await this.#claimed(introducer, signal);
    const intro = this.#sign(INTRODUCTION, { to: peer.id, meeting, addresses });
    this.#runtime.counters.add("punch.asked");
    const { response } = await askOver(introducer, {
      request: { type: "punch_intro", intro, rendezvous },
      timeoutMs: DIAL_TIMEOUT_MS,
    }, signal);
    const consent = this.#read(CONSENT, response.consent);
    const to = self.identity.id;
    this.#requireConsent(consent, { from: peer.id, to, meeting });
    const targets = punchTargets({
      claimed: consent.addresses,
      seenIp: response.observed.ip,
      ownIp: addresses[0]?.ip,
      realm: standing.realm,
    });
    if (targets.length === 0 && rendezvous === undefined) {
      throw this.#refused("nowhere", peer.id);
    }
    const startMs = clock.monotonicMs() + response.waitMs;
    return { peer, targets, startMs, sinceMs };
  }

  /** Carries out what was arranged. @throws `overloaded`, or as {@link knock} */
  async punch(agreed: AgreedPunch, signal: AbortSignal): Promise<Session> {
    const place = this.#places.enter(agreed.targets);
    if (place === undefined) throw this.#refused("full", agreed.peer.id);
    using _place = place;
    return await this.#knock(agreed, signal);
  }

  /** Answers `punch_intro`: passes an introduction on and its answer back. Nothing of it is kept. */
  async introduce(
    from: NodeRecord,
    { intro, rendezvous }: PunchIntro,
    signal: AbortSignal,
  ): Promise<Reply> {
    const said = this.#read(INTRODUCTION, intro);
    if (!equal(said.id, from.id)) throw this.#refused("forged", said.id);
    const asker = this.#direct(from.id);
    const peer = this.#direct(said.to);
    const observed = asker.session.connection.remote;
    const place = this.#passing.enter([observed]);
    if (place === undefined) throw this.#refused("full", said.to);
    using _place = place;
    const { clock, counters } = this.#runtime;
    const [askerRttMs, peerRttMs] = await Promise.all([
      this.#rttOf(asker, signal),
      this.#rttOf(peer, signal),
    ]);
    const waitMs = targetWaitMs(askerRttMs, peerRttMs);
    const askedMs = clock.monotonicMs();
    const { response } = await this.#parts.askOver(peer, {
      request: { type: "punch_request", intro, observed, waitMs, rendezvous },
      timeoutMs: DIAL_TIMEOUT_MS,
    }, signal);
    const { consent } = response;
    const { meeting } = said;
    const agreed = this.#read(CONSENT, consent);
    this.#requireConsent(agreed, { from: said.to, to: from.id, meeting });
    counters.add("punch.introduced");
    const wait = askerWaitMs({
      askerRttMs,
      targetTookMs: clock.monotonicMs() - askedMs,
      targetWaitMs: waitMs,
    });
    return {
      response: {
        type: "punch_ready",
        consent,
        observed: peer.session.connection.remote,
        waitMs: wait,
      },
    };
  }

  /** Answers `punch_request`: agrees to meet whoever signed the introduction, and knocks when it is time, or comes to the rendezvous. */
  async consent(
    from: NodeRecord,
    { intro, observed, waitMs, rendezvous }: PunchRequest,
    signal: AbortSignal,
  ): Promise<Reply> {
    const { clock } = this.#runtime;
    const said = this.#read(INTRODUCTION, intro);
    const introducer = this.#direct(from.id);
    const via = introducer.session.connection.remote;
    // Who introduces itself is where we see it.
    if (equal(from.id, said.id) && observed.ip !== via.ip) {
      throw this.#refused("nowhere", said.id);
    }
    const sinceMs = clock.monotonicMs();
    const addresses = await this.#claimed(introducer, signal);
    const verdict = this.#judge(said, {
      claimed: said.addresses,
      seenIp: observed.ip,
      ownIp: addresses[0]?.ip,
      realm: this.#parts.standing.realm,
      via,
    });
    if (!verdict.ok) throw this.#refused(verdict.why, said.id);
    using held = new DisposableStack();
    held.use(verdict.place);
    this.#parts.makeRoom();
    const { id, meeting } = said;
    const consent = this.#sign(CONSENT, { to: id, meeting, addresses });
    const response = { type: "punch_agreed", consent } as const;
    if (rendezvous !== undefined) {
      await this.#parts.follow(rendezvous, said, signal);
      return { response };
    }
    const { targets } = verdict;
    const startMs = sinceMs + waitMs;
    const place = held.move();
    const began = this.#parts.tasks.spawn(async (scopeSignal) => {
      using _place = place;
      await this.#knockBack(
        { peer: said, targets, startMs, sinceMs },
        scopeSignal,
      );
    });
    if (!began) place.dispose();
    return { response };
  }

  #judge(said: Fresh<Meeting>, seen: Parameters<Introductions["judge"]>[1]) {
    const { id: from, to, meeting: nonce, sequence: signedMs } = said;
    const nowMs = this.#runtime.clock.nowMs();
    return this.#introductions.judge(
      { from, to, nonce, signedMs },
      seen,
      nowMs,
    );
  }

  /** The part of who was asked: nobody waits for the outcome. */
  async #knockBack(agreed: AgreedPunch, signal: AbortSignal): Promise<void> {
    try {
      await this.#knock(agreed, signal);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }

  async #knock(agreed: AgreedPunch, signal: AbortSignal): Promise<Session> {
    const { counters } = this.#runtime;
    const key = keyOf(agreed.peer.id);
    this.#under.set(key, (this.#under.get(key) ?? 0) + 1);
    counters.add("punch.tried");
    try {
      const parts = { ...this.#parts, arrivals: this.#arrivals };
      const session = await knock(agreed, parts, signal);
      counters.add("punch.succeeded");
      return session;
    } catch (error) {
      if (codeOf(error) === "unreachable") counters.add("punch.failed");
      throw error;
    } finally {
      const left = this.#under.get(key)! - 1;
      if (left === 0) this.#under.delete(key);
      else this.#under.set(key, left);
    }
  }

  /** A session on which a peer's own address is seen. @throws `absent` */
  #direct(id: NodeId): Live {
    const live = this.#parts.live(id);
    if (live !== undefined && live.session.way !== "relayed") return live;
    throw this.#refused("absent", id);
  }

  /** Where we ask to be knocked at, as far as whoever introduces us can vouch for it: the outer address first, then those inside. */
  async #claimed(
    introducer: Live,
    signal: AbortSignal,
  ): Promise<readonly Address[]> {
    const { self, standing } = this.#parts;
    const family = familyOf(introducer.session.connection.remote);
    const outer = standing.likely(family) ??
      await this.#seenBy(introducer, signal);
    const named = self.record().addresses.filter((address) =>
      isPlausible(address, standing.realm)
    );
    const texts = new Map(
      [outer, ...named, ...innerOf(standing)]
        .filter((address) => familyOf(address) === family)
        .map((address) => [formatAddress(address), address]),
    );
    return [...texts.values()].slice(0, PUNCH_ADDRESSES_MAX);
  }

  /** Where a peer sees us: it said so in its greeting, or says it in a pong. */
  async #seenBy(live: Live, signal: AbortSignal): Promise<Address> {
    if (live.session.observed !== undefined) return live.session.observed;
    const { response } = await this.#ping(live, signal);
    return response.observed;
  }

  async #rttOf(live: Live, signal: AbortSignal): Promise<number> {
    if (live.silence.quickestMs === undefined) await this.#ping(live, signal);
    return live.silence.quickestMs ?? 0;
  }

  #ping(live: Live, signal: AbortSignal) {
    const call = {
      request: { type: "ping" },
      timeoutMs: DIAL_TIMEOUT_MS,
    } as const;
    return this.#parts.askOver(live, call, signal);
  }

  #sign(form: FreshForm<Meeting>, words: Omit<Meeting, "nat">): Uint8Array {
    const { self, standing } = this.#parts;
    const nowMs = this.#runtime.clock.nowMs();
    const meeting = { ...words, nat: standing.kind };
    return signFresh(form, meeting, { signer: self.identity, nowMs }).bytes;
  }

  #read<F>(form: FreshForm<F>, bytes: Uint8Array): Fresh<F> {
    const nowMs = this.#runtime.clock.nowMs();
    const { powBits } = this.#parts.self;
    try {
      return readFresh(form, bytes, { nowMs, powBits });
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#count(code === "refused" ? "stale" : "forged");
      throw error;
    }
  }

  #requireConsent(
    consent: Fresh<Meeting>,
    { from, to, meeting }: {
      readonly from: NodeId;
      readonly to: NodeId;
      readonly meeting: Uint8Array;
    },
  ): void {
    if (
      equal(consent.id, from) && equal(consent.to, to) &&
      equal(consent.meeting, meeting)
    ) return;
    throw this.#refused("forged", from);
  }

  #count(why: Why): void {
    this.#runtime.counters.add(`punch.refused_${why}`);
  }

  #refused(why: Why, id: NodeId): TesserasError {
    this.#count(why);
    return refusalOf(why, id);
  }
}
