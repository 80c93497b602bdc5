/** Everyone this node talks to: one session per peer, opened when needed, used in both directions, closed when idle. */
import {
  type Address,
  codeOf,
  keyOf,
  messageOf,
  type NodeId,
  orAbort,
  type Runtime,
  Tasks,
  TesserasError,
} from "@tesseras/core";
import { DIAL_TIMEOUT_MS, DIALLED_MAX } from "@tesseras/core/limits";
import type { NodeRecord, Request } from "@tesseras/wire";
import { type Answer, ask, type AskOptions } from "./ask.ts";
import { workOf } from "./cost.ts";
import { Challenges } from "./challenges.ts";
import { Dials } from "./dials.ts";
import { type DoorParts, keepDoor } from "./door.ts";
import { endingOf } from "./ending.ts";
import { countFailure } from "./failures.ts";
import { CLOSE, type Session } from "./hello.ts";
import type { PeerNet, SessionStatus } from "./peer_net.ts";
import type { PeersParts } from "./peers_parts.ts";
import { Live, SessionPool } from "./pool.ts";
import { Reaper } from "./reaper.ts";
import { type Handler, serve } from "./serve.ts";
import { keepVigil, type VigilParts } from "./vigil.ts";
import { isDialable } from "./way.ts";
import { Ways, type WaysParts } from "./ways.ts";

/** How long a peer may leave every request without an answer before its connection is given up: longer than any live dial takes. */
const SILENCE_MAX_MS = DIAL_TIMEOUT_MS;

/** The sessions of one node. Disposing it says goodbye on all of them. */
export class Peers implements PeerNet {
  readonly #parts: PeersParts;
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  readonly #pool: SessionPool;
  readonly #dials: Dials;
  readonly #challenges: Challenges;
  readonly #vigil: VigilParts;
  readonly #reaper: Reaper;
  readonly #ways: Ways | undefined;
  readonly #handler: Handler;
  /** When the latest question was sent that anybody has answered. */
  #provenMs = -Infinity;

  private constructor(
    parts: PeersParts,
    runtime: Runtime,
    signal: AbortSignal,
  ) {
    this.#parts = parts;
    this.#runtime = runtime;
    this.#tasks = new Tasks(signal);
    const { transport, self, standing } = parts;
    const realm = standing?.realm ?? "lab";
    this.#pool = new SessionPool(
      self.identity.id,
      realm,
      (id) => this.#ways?.standsOn(id) ?? false,
    );
    const onSession = (session: Session): void => this.#adopt(session);
    const makeRoom = (): void => this.#makeRoom();
    this.#ways = standing && this.#waysOf({ ...parts, standing });
    this.#handler = this.#ways?.before(parts.handler) ?? parts.handler;
    const open = this.#ways?.open;
    this.#dials = new Dials(
      { transport, self, tasks: this.#tasks, makeRoom, onSession, open },
      runtime,
    );
    this.#challenges = new Challenges({ self, tasks: this.#tasks }, runtime);
    this.#reaper = new Reaper({
      pool: this.#pool,
      clock: runtime.clock,
      tasks: this.#tasks,
      dialable: () => isDialable(self.record(), realm),
      close: ({ live, why }) => this.#close(live, why),
    });
    this.#vigil = {
      clock: runtime.clock,
      provenMs: () => this.#provenMs,
      another: (live) => this.#pool.another(live),
      ping: (live, signal) => this.#pingOver(live, signal),
      dial: (live, signal) => this.#dialBeside(live, signal),
      giveUp: (live) => {
        if (this.#pool.has(live)) this.#close(live, "silent");
      },
    };
  }

  /** Starts to accept connections. */
  static start(
    parts: PeersParts,
    runtime: Runtime,
    signal: AbortSignal,
  ): Peers {
    const peers = new Peers(parts, runtime, signal);
    parts.transport.greetWith(peers.#challenges.greet);
    peers.#tasks.spawn((scopeSignal) => keepDoor(peers.#door(), scopeSignal));
    peers.#reaper.start();
    return peers;
  }

  /** Resolves with the first failure nobody foresaw; stays pending while all is well. */
  get failed(): Promise<unknown> {
    return this.#tasks.failed;
  }

  /**
   * Asks a peer over its open session, whoever opened it, or over a new one. A session that turns out to be dead is replaced
   * once, and the octets of the request are sent there from the first. Every request may be repeated: `ping`, `find_node`, `find_value`,
   * `get_plan`, `get_fragment`, `attest`, `audit` and `challenge` only read; a record that comes again with `store`, and the
   * fragment of a `put_fragment`, count as kept (PROTOCOL.md, 3.4 and 3.6); what `forget` removed is gone. An introduction that
   * arrived after all is refused when it comes again, and relays answer the same twice.
   *
   * @throws as {@link ask}; `unreachable` when the peer cannot be dialled, `forged` when another key answers there,
   * `overloaded` when this node holds as many connections as it may
   */
  async ask<R extends Request>(
    peer: NodeRecord,
    request: R,
    options: AskOptions,
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    const call = { ...options, request };
    const known = this.#pool.best(peer.id);
    if (known === undefined) {
      return await this.#askOver(await this.#dial(peer, signal), call, signal);
    }
    known.learn(peer);
    try {
      return await this.#askOver(known, call, signal);
    } catch (error) {
      if (codeOf(error) !== "unreachable") throw error;
    }
    this.#runtime.counters.add("peers.redialled");
    const next = this.#pool.best(peer.id) ?? await this.#dial(peer, signal);
    return await this.#askOver(next, call, signal);
  }

  /**
   * Learns who answers at a bare address, without telling who we are. What comes back is only what that node says of itself,
   * and need not name the address it was found at; {@link ask} it to reach the holder of that key and nobody else.
   *
   * @throws `unreachable`, `timeout`, `refused`, `malformed`, `forged`, or the signal's error
   */
  async firstContact(
    address: Address,
    signal: AbortSignal,
  ): Promise<NodeRecord> {
    return await this.#dials.firstContact(address, signal);
  }

  /** Every open session. */
  sessions(): readonly SessionStatus[] {
    const nowMs = this.#runtime.clock.monotonicMs();
    return Array.from(this.#pool.all(), (live) => ({
      id: live.session.peer.id,
      remote: live.session.connection.remote,
      dialled: live.session.dialled,
      way: live.session.way,
      busyCount: live.busyCount,
      ageMs: nowMs - live.openedMs,
    }));
  }

  /** Where a peer's packets come from now; `undefined` without a session. */
  remoteOf(id: NodeId): Address | undefined {
    return this.#pool.best(id)?.session.connection.remote;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closeAll();
    try {
      await this.#tasks.stop();
    } finally {
      // A dial that was just being finished may have brought one more.
      this.#closeAll();
    }
  }

  #waysOf(parts: PeersParts & Pick<WaysParts, "standing">): Ways {
    return new Ways({
      ...parts,
      runtime: this.#runtime,
      tasks: this.#tasks,
      pool: this.#pool,
      peers: this,
      askOver: (live, call, signal) => this.#askOver(live, call, signal),
      adopt: (session) => this.#adopt(session),
      makeRoom: () => this.#makeRoom(),
      dial: (peer, signal) => this.#dials.to(peer, signal),
      close: (live) => this.#close(live, "relay"),
    });
  }

  #closeAll(): void {
    for (const live of [...this.#pool.all()]) {
      this.#pool.remove(live);
      live.session.connection.close(CLOSE.leaving, "shutdown");
    }
  }

  async #dial(peer: NodeRecord, signal: AbortSignal): Promise<Live> {
    const session = await this.#dials.to(peer, signal);
    const live = this.#pool.best(peer.id);
    if (live !== undefined) return live;
    // It has ended already, and what it ended with is the answer.
    throw await this.#endOf(session) ??
      new TesserasError(
        "unreachable",
        `Cannot ask ${keyOf(peer.id)}: the new connection was given up`,
      );
  }

  /** Closes the dialled session that is least missed when there are as many as there may be. */
  #makeRoom(): void {
    const dialledMax = this.#parts.dialledMax ?? DIALLED_MAX;
    const dialled = this.#pool.dialledCount + this.#dials.runningCount;
    if (dialled < dialledMax) return;
    const quietest = this.#pool.quietestDialled();
    if (quietest !== undefined) return this.#close(quietest, "idle");
    this.#runtime.counters.add("peers.dials_full");
    throw new TesserasError(
      "overloaded",
      `Cannot dial: all ${dialledMax} dialled connections are in use`,
    );
  }

  async #askOver<R extends Request>(
    live: Live,
    call: AskOptions & { readonly request: R },
    signal: AbortSignal,
  ): Promise<Answer<R>> {
    const { clock, counters } = this.#runtime;
    const { connection } = live.session;
    const askedMs = clock.monotonicMs();
    counters.add("rpc.asked");
    try {
      const answer = await ask(
        { ...call, connection, activity: live },
        this.#runtime,
        signal,
      );
      this.#provenMs = Math.max(this.#provenMs, askedMs);
      if (workOf(call.request) === 0) {
        live.silence.answered(clock.monotonicMs() - askedMs);
      }
      this.#dials.forgetFailures(live.session.peer);
      return answer;
    } catch (error) {
      countFailure(counters, codeOf(error));
      if (codeOf(error) === "timeout") this.#noteSilence(live, askedMs);
      if (codeOf(error) !== "unreachable") throw error;
      const ended = await this.#endOf(live.session);
      if (ended === undefined) throw error;
      this.#pool.remove(live);
      throw ended;
    }
  }

  /** A peer that died without a word shows in its silence long before its connection times out. */
  #noteSilence(live: Live, askedMs: number): void {
    // Other requests under way may be what keeps the line busy; the last of them to fail decides.
    const silentMs = live.unanswered(askedMs);
    if (live.busyCount > 0 || silentMs < SILENCE_MAX_MS) return;
    this.#close(live, "silent");
  }

  async #pingOver(live: Live, signal: AbortSignal): Promise<void> {
    this.#runtime.counters.add("peers.silent_pinged");
    await this.#askOver(live, { request: { type: "ping" } }, signal);
  }

  /** Dials a peer that is silent on an open session. */
  async #dialBeside(live: Live, signal: AbortSignal): Promise<Live> {
    if (live.record.addresses.length > 0) {
      this.#runtime.counters.add("peers.silent_dialled");
    }
    const fresh = await this.#dial(live.record, signal);
    fresh.silence.dialled(this.#runtime.clock.monotonicMs());
    return fresh;
  }

  /** Why a session is over, for the one who asked over it; `undefined` when it is not. */
  async #endOf(session: Session): Promise<TesserasError | undefined> {
    const parts = { session, clock: this.#runtime.clock };
    const ending = await endingOf(parts, this.#tasks.signal);
    // Who turned us away would do so again, and each try costs both sides a handshake.
    if (ending?.turnedAway) this.#dials.rememberFailure(session.peer);
    return ending?.error;
  }

  #door(): DoorParts {
    const attend = async (met: Session, signal: AbortSignal): Promise<void> => {
      const session = { ...met, way: this.#ways?.wayOf(met) ?? met.way };
      await this.#attend(this.#enroll(session), signal);
    };
    return {
      ...this.#parts,
      runtime: this.#runtime,
      tasks: this.#tasks,
      challenges: this.#challenges,
      attend,
    };
  }

  /** Takes in a session we dialled, once. */
  #adopt(session: Session): void {
    if (this.#pool.holds(session)) return;
    const live = this.#enroll(session);
    this.#tasks.spawn((signal) => this.#attend(live, signal));
  }

  #enroll(session: Session): Live {
    const live = new Live(
      session,
      this.#runtime.clock,
      (asked) => this.#watch(asked),
    );
    for (const surplus of this.#pool.add(live)) {
      this.#close(surplus, "duplicate");
    }
    this.#reaper.added();
    this.#parts.onSession?.(session);
    this.#ways?.arrived();
    return live;
  }

  #watch(live: Live): void {
    if (live.watched) return;
    live.watched = true;
    this.#tasks.spawn((signal) => keepVigil(live, this.#vigil, signal));
  }

  /** Serves a session until it is over. */
  async #attend(live: Live, signal: AbortSignal): Promise<void> {
    const { connection, peer } = live.session;
    const serving = {
      connection,
      from: peer,
      handler: this.#handler,
      meter: this.#parts.admission.meter(peer.id, () => connection.remote),
      activity: live,
    };
    try {
      await serve(serving, this.#runtime, signal);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#runtime.log.debug("session.failed", {
        peer: live.key,
        reason: messageOf(error),
      });
    } finally {
      this.#pool.remove(live);
      // The scope ends with the node.
      if (signal.aborted) connection.close(CLOSE.leaving, "shutdown");
      else connection.close(CLOSE.done, "over");
    }
    const { code } = await orAbort(connection.closed, signal);
    this.#ways?.ended(live.session);
    this.#parts.onEnd?.(live.session);
    // One that was started again may be back before the end of its earlier life is noticed.
    if (code !== CLOSE.leaving || this.#pool.best(peer.id)) return;
    this.#parts.onLeave?.(peer.id);
  }

  #close(live: Live, why: "idle" | "duplicate" | "silent" | "relay"): void {
    this.#runtime.counters.add(`peers.${why}_closed`);
    this.#pool.remove(live);
    live.session.connection.close(CLOSE.done, why);
  }
}
