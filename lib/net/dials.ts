/** Opening connections: one dial for all who want the same peer, few at once, and a pause before a dead one is tried again. */
import {
  abortError,
  type Address,
  codeOf,
  formatAddress,
  keyOf,
  messageOf,
  orAbort,
  type Runtime,
  type Tasks,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { DIAL_SILENCE_MS, DIAL_TIMEOUT_MS } from "@tesseras/core/limits";
import type { NodeRecord } from "@tesseras/wire";
import { DialPauses } from "./dial_pauses.ts";
import { DialPlaces } from "./dial_places.ts";
import {
  CLOSE,
  dialHello,
  firstContactHello,
  type Self,
  type Session,
} from "./hello.ts";
import type { Connection, Expect, Transport } from "./transport.ts";

type Shared = {
  readonly session: Promise<Session>;
  readonly stop: AbortController;
  waitingCount: number;
};

/**
 * What dialling needs. `tasks` outlives every dial; `makeRoom` is asked before one begins, and throws when there is none; `onSession`
 * hears of each session before those who wait for it.
 */
export type DialParts = {
  readonly transport: Transport;
  readonly self: Self;
  readonly tasks: Tasks;
  readonly makeRoom: () => void;
  readonly onSession: (session: Session) => void;
  /** Finds a way to a peer, with `dial` for the addresses of a record; that is the only way unless given. */
  readonly open?:
    | ((
      peer: NodeRecord,
      dial: (peer: NodeRecord, signal: AbortSignal) => Promise<Session>,
      signal: AbortSignal,
    ) => Promise<Session>)
    | undefined;
};

/** Every dial of one node. */
export class Dials {
  readonly #parts: DialParts;
  readonly #runtime: Runtime;
  readonly #places: DialPlaces;
  readonly #pauses: DialPauses;
  readonly #shared = new Map<string, Shared>();

  constructor(parts: DialParts, runtime: Runtime) {
    this.#parts = parts;
    this.#runtime = runtime;
    this.#places = new DialPlaces(runtime.clock);
    this.#pauses = new DialPauses(runtime);
  }

  /** Peers being dialled now. */
  get runningCount(): number {
    return this.#shared.size;
  }

  /**
   * A fresh session with a peer. The dial goes on while anyone waits for it.
   *
   * @throws `unreachable` when no address answers or one failed a moment ago; `forged` when another key answers; `overloaded`, `refused`,
   * `timeout`, or the signal's error
   */
  async to(peer: NodeRecord, signal: AbortSignal): Promise<Session> {
    throwIfAborted(signal);
    throwIfAborted(this.#parts.tasks.signal);
    const key = keyOf(peer.id);
    const shared = this.#shared.get(key) ?? this.#begin(key, peer);
    shared.waitingCount++;
    try {
      return await orAbort(shared.session, signal);
    } finally {
      shared.waitingCount--;
      if (shared.waitingCount === 0) this.#end(key, shared);
    }
  }

  /** Who answers at an address, asked without saying who we are. @throws as {@link Dials.to} */
  async firstContact(
    address: Address,
    signal: AbortSignal,
  ): Promise<NodeRecord> {
    const { self } = this.#parts;
    let connection: Connection | undefined;
    try {
      connection = await this.#connect(address, "anyone", signal);
      const parts = { self, runtime: this.#runtime };
      return await firstContactHello(connection, parts, signal);
    } catch (error) {
      if (!signal.aborted) {
        this.#runtime.counters.add("peers.first_contact_failed");
      }
      throw error;
    } finally {
      connection?.close(CLOSE.done, "first contact");
    }
  }

  /** Forgets the failures of a peer that has answered. */
  forgetFailures(peer: NodeRecord): void {
    this.#pauses.answered(peer);
  }

  /** Notes that a peer turned us away, so that it is left alone for a while. */
  rememberFailure(peer: NodeRecord): void {
    this.#pauses.failed(peer);
  }

  #begin(key: string, peer: NodeRecord): Shared {
    const { open } = this.#parts;
    if (open === undefined && peer.addresses.length === 0) {
      throw new TesserasError(
        "unreachable",
        `Cannot dial ${key}: it has no address and no connection to us is open`,
      );
    }
    this.#pauses.check(peer);
    this.#parts.makeRoom();
    const { promise, resolve, reject } = Promise.withResolvers<Session>();
    const stop = new AbortController();
    const shared: Shared = { session: promise, stop, waitingCount: 0 };
    // Those who wait hear of a failure; when the last one has left, nobody needs to.
    promise.catch(() => {});
    this.#shared.set(key, shared);
    this.#parts.tasks.spawn(async (scopeSignal) => {
      // Not AbortSignal.any(): each would leave 36 bytes behind (measured) at a signal that lives as long as the node.
      const onScope = (): void => stop.abort(abortError(scopeSignal));
      scopeSignal.addEventListener("abort", onScope, { once: true });
      try {
        resolve(await this.#dial(key, peer, stop.signal));
      } catch (error) {
        reject(error);
        if (codeOf(error) === undefined) throw error;
      } finally {
        scopeSignal.removeEventListener("abort", onScope);
        this.#end(key, shared);
      }
    });
    return shared;
  }

  /** Also makes room at once, so that nobody joins a dial that is being stopped. */
  #end(key: string, shared: Shared): void {
    shared.stop.abort();
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
  }

  async #dial(
    key: string,
    peer: NodeRecord,
    signal: AbortSignal,
  ): Promise<Session> {
    const { clock, counters, log } = this.#runtime;
    const startedMs = clock.monotonicMs();
    try {
      const session = await this.#wayTo(peer, signal);
      counters.add("peers.dialled");
      this.#parts.onSession(session);
      return session;
    } catch (error) {
      // Whoever gives up waiting after this long has learned as much as a dial that ran its course.
      const silent = clock.monotonicMs() - startedMs >= DIAL_SILENCE_MS;
      if ((!signal.aborted || silent) && codeOf(error) !== undefined) {
        counters.add("peers.dial_failed");
        log.debug("dial.failed", { peer: key, reason: messageOf(error) });
        this.#pauses.failed(peer);
      }
      throw error;
    }
  }

  #wayTo(peer: NodeRecord, signal: AbortSignal): Promise<Session> {
    const { open } = this.#parts;
    if (open === undefined) return this.#firstThatAnswers(peer, signal);
    const dial = this.#firstThatAnswers.bind(this);
    return open(peer, dial, signal);
  }

  /** Tries the addresses in the peer's order of preference. */
  async #firstThatAnswers(
    peer: NodeRecord,
    signal: AbortSignal,
  ): Promise<Session> {
    const failures: unknown[] = [];
    for (const address of peer.addresses) {
      try {
        return await this.#open(peer, address, signal);
      } catch (error) {
        throwIfAborted(signal);
        if (codeOf(error) === undefined) throw error;
        failures.push(error);
      }
    }
    throw worstOf(failures, peer);
  }

  async #open(
    peer: NodeRecord,
    address: Address,
    signal: AbortSignal,
  ): Promise<Session> {
    const { publicKey } = peer;
    const connection = await this.#connect(address, { publicKey }, signal);
    try {
      const { self } = this.#parts;
      return await dialHello(
        connection,
        { self, runtime: this.#runtime, pinned: peer },
        signal,
      );
    } catch (error) {
      connection.close(CLOSE.refused, "hello failed");
      throw error;
    }
  }

  async #connect(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection> {
    using _place = await this.#places.enter(signal);
    using deadline = this.#runtime.clock.deadline(DIAL_TIMEOUT_MS, signal);
    return await this.#parts.transport.dial(address, expect, deadline.signal);
  }
}

/** What the caller hears when every address failed: a lie found at one of them matters more than silence at the others. */
function worstOf(failures: readonly unknown[], peer: NodeRecord): unknown {
  const lie = failures.find((error) => codeOf(error) === "forged");
  if (lie !== undefined) return lie;
  if (failures.length === 1 && codeOf(failures[0]) === "refused") {
    return failures[0];
  }
  const tried = peer.addresses.map(formatAddress).join(", ");
  return new TesserasError(
    "unreachable",
    `Cannot dial ${keyOf(peer.id)} at ${tried}: ${messageOf(failures[0])}`,
    { cause: failures[0] },
  );
}
