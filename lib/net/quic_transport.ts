/** A bound QUIC endpoint at work: dialling within a limit, and an accept loop that no client can stop. */
import { setImmediate } from "node:timers";
import {
  type Address,
  canonicalIp,
  formatAddress,
  messageOf,
  orAbort,
  type Runtime,
  Tasks,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  ARRIVALS_MAX,
  HALF_OPEN_MAX,
  HELLO_TIMEOUT_MS,
  TRUSTS_CACHED_MAX,
} from "@tesseras/core/limits";
import { Arrivals } from "./arrivals.ts";
import { DialPlaces } from "./dial_places.ts";
import type { Trust } from "./certificate.ts";
import { QuicConnection, remoteOf } from "./quic_connection.ts";
import {
  type Bound,
  protocolOf,
  type QuicSettings,
  wireOptions,
} from "./quic_endpoint.ts";
import { dialError, isOtherNetwork } from "./quic_errors.ts";
import {
  CLOSED_FRIENDLY,
  CLOSED_REFUSED,
  type Connection,
  type Expect,
  type Greet,
  type Transport,
} from "./transport.ts";
import { TrustCache } from "./trust_cache.ts";

/** Time for the last packets to leave: an endpoint closed in the same moment sends nothing (measured). */
const GOODBYE_MS = 50;

/** Owns the endpoint, every connection on it, and the loop that accepts them. */
export class QuicTransport implements Transport {
  readonly local: Address;
  readonly #endpoint: Deno.QuicEndpoint;
  readonly #listener: Deno.QuicListener;
  readonly #settings: QuicSettings;
  readonly #protocol: string;
  readonly #runtime: Runtime;
  readonly #tasks = new Tasks(new AbortController().signal);
  readonly #arrivals = new Arrivals<Connection>(ARRIVALS_MAX);
  readonly #dials: DialPlaces;
  readonly #connections = new Set<QuicConnection>();
  readonly #trusts = new TrustCache(TRUSTS_CACHED_MAX);
  #greet: Greet = () => {};
  #halfOpenCount = 0;
  #disposing: Promise<void> | undefined;

  /** Takes over the endpoint. */
  constructor(bound: Bound, settings: QuicSettings, runtime: Runtime) {
    this.#endpoint = bound.endpoint;
    this.#listener = bound.listener;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#dials = new DialPlaces(runtime.clock);
    this.#protocol = protocolOf(settings.network);
    const { hostname, port } = bound.endpoint.addr;
    this.local = { ip: canonicalIp(hostname) ?? hostname, port };
    this.#tasks.spawn(() => this.#acceptAll());
  }

  async dial(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection> {
    const trust = this.#trusts.trustFor(expect);
    using _place = await this.#dials.enter(signal);
    using deadline = this.#runtime.clock.deadline(
      this.#settings.dialTimeoutMs,
      signal,
    );
    try {
      const connecting = this.#connect(address, trust);
      this.#join(connecting);
      const conn = await orAbort(
        connecting,
        deadline.signal,
        (late) => late.close(),
      );
      this.#runtime.counters.add("quic.dialled");
      return this.#adopt(conn, true);
    } catch (error) {
      this.#runtime.counters.add("quic.dial_failed");
      throwIfAborted(signal);
      if (this.#disposing) throw disposed(address);
      if (deadline.signal.aborted) throw nobodyAnswers(address);
      if (isOtherNetwork(error)) {
        this.#runtime.counters.add("quic.dialled_other_network");
      }
      throw dialError(error, address);
    }
  }

  greetWith(greet: Greet): void {
    this.#greet = greet;
  }

  accept(signal: AbortSignal): Promise<Connection | undefined> {
    return this.#arrivals.take(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#disposing ??= this.#dispose();
  }

  /** Asks the platform, which throws some refusals at once and takes names only by blocking everybody (so: literals). */
  async #connect(address: Address, trust: Trust): Promise<Deno.QuicConn> {
    if (this.#disposing) throw disposed(address);
    const ip = canonicalIp(address.ip);
    if (ip === undefined) {
      throw new TesserasError(
        "unreachable",
        `Cannot connect to ${formatAddress(address)}: no IP literal`,
      );
    }
    return await Deno.connectQuic({
      ...wireOptions(this.#settings),
      keepAliveInterval: this.#settings.keepAliveMs,
      hostname: ip,
      port: address.port,
      serverName: trust.serverName,
      caCerts: [trust.anchorPem],
      endpoint: this.#endpoint,
    });
  }

  async #acceptAll(): Promise<void> {
    try {
      for (;;) this.#answer(await this.#listener.incoming());
    } catch (error) {
      // Closing the endpoint ends the listener; nothing a client sends does.
      if (!(error instanceof Deno.errors.BadResource)) {
        this.#runtime.log.error("quic.listener_failed", {
          error: messageOf(error),
        });
      }
    } finally {
      this.#arrivals.close();
    }
  }

  /** Decides about one first packet. Does not wait, so that a flood is shed at the pace it comes in. */
  #answer(incoming: Deno.QuicIncoming): void {
    const { counters } = this.#runtime;
    const conn = this.#acceptEarly(incoming);
    if (conn === undefined) return;
    if (this.#halfOpenCount >= HALF_OPEN_MAX) {
      counters.add("quic.half_open_refused");
      return refuse(conn);
    }
    if (!this.#settings.admit(remoteOf(conn))) {
      counters.add("quic.admission_refused");
      return refuse(conn);
    }
    this.#tasks.spawn((signal) => this.#shakeHands(conn, signal));
  }

  /** Takes an incoming connection in before its handshake: the only way to learn its address without losing it. */
  #acceptEarly(incoming: Deno.QuicIncoming): Deno.QuicConn | undefined {
    try {
      return incoming.accept({ zeroRtt: true });
    } catch (error) {
      // Thrown for whatever is wrong with the client's first packet. It must end that client and nobody else.
      this.#runtime.counters.add(
        isOtherNetwork(error) ? "quic.other_network" : "quic.bad_client",
      );
      return undefined;
    }
  }

  async #shakeHands(conn: Deno.QuicConn, signal: AbortSignal): Promise<void> {
    const { clock, counters } = this.#runtime;
    this.#halfOpenCount++;
    const connection = this.#adopt(conn, false);
    const handshake = conn.handshake;
    this.#join(handshake);
    this.#greet(connection);
    try {
      using deadline = clock.deadline(HELLO_TIMEOUT_MS, signal);
      await orAbort(
        Promise.race([handshake, connection.closed]),
        deadline.signal,
      );
      // A handshake that broke off also resolves, a moment before the connection is known to be over.
      await new Promise((resolve) => setImmediate(resolve));
    } catch {
      counters.add("quic.handshake_timeout");
      return connection.close(CLOSED_REFUSED, "handshake took too long");
    } finally {
      this.#halfOpenCount--;
    }
    if (connection.ending || conn.protocol !== this.#protocol) {
      return counters.add("quic.handshake_failed");
    }
    if (!this.#arrivals.push(connection)) {
      counters.add("quic.arrivals_refused");
      return connection.close(CLOSED_REFUSED, "too many wait to be accepted");
    }
    counters.add("quic.accepted");
  }

  #adopt(conn: Deno.QuicConn, dialled: boolean): QuicConnection {
    const connection = new QuicConnection(conn, dialled);
    this.#connections.add(connection);
    this.#tasks.spawn(async () => {
      await connection.closed;
      this.#connections.delete(connection);
    });
    return connection;
  }

  /** Lets disposal wait for what the platform has under way, so that nothing outlives the transport. */
  #join(underWay: Promise<unknown>): void {
    this.#tasks.spawn(async () => {
      await Promise.allSettled([underWay]);
    });
  }

  async #dispose(): Promise<void> {
    this.#arrivals.close();
    const openCount = this.#connections.size;
    for (const connection of this.#connections) {
      connection.close(CLOSED_FRIENDLY, "the node stops");
    }
    if (openCount > 0) {
      await this.#runtime.clock.sleep(GOODBYE_MS, new AbortController().signal);
    }
    this.#endpoint.close();
    await this.#tasks.stop();
  }
}

function refuse(conn: Deno.QuicConn): void {
  conn.close({ closeCode: CLOSED_REFUSED, reason: "not admitted" });
}

function disposed(address: Address): TesserasError {
  return new TesserasError(
    "cancelled",
    `Cannot connect to ${formatAddress(address)}: the transport is closed`,
  );
}

function nobodyAnswers(address: Address): TesserasError {
  return new TesserasError(
    "unreachable",
    `Cannot connect to ${formatAddress(address)}: nobody answers`,
  );
}
