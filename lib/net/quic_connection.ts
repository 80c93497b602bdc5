/** A QUIC connection: streams from both ends, and one account of how it ended. */
import {
  type Address,
  canonicalIp,
  orAbort,
  Semaphore,
  throwIfAborted,
} from "@tesseras/core";
import { closedBy, closedLost, streamError } from "./quic_errors.ts";
import { QuicStream } from "./quic_stream.ts";
import type { Closed, Connection, Stream } from "./transport.ts";

/** Wraps one connection of the platform from its first moment, before or after its handshake. */
export class QuicConnection implements Connection {
  readonly dialled: boolean;
  readonly closed: Promise<Closed>;
  readonly #conn: Deno.QuicConn;
  /** One taker at a time, so that an aborted one can leave its pending stream to the next. */
  readonly #turn = new Semaphore(1);
  #streams:
    | ReadableStreamDefaultReader<Deno.QuicBidirectionalStream>
    | undefined;
  #arriving:
    | Promise<ReadableStreamReadResult<Deno.QuicBidirectionalStream>>
    | undefined;
  #ending: Closed | undefined;

  constructor(conn: Deno.QuicConn, dialled: boolean) {
    this.#conn = conn;
    this.dialled = dialled;
    // The platform tells the closer nothing of what it said itself, so our own words win.
    this.closed = conn.closed.then(
      (info) => this.#ending ??= closedBy(info),
      (error) => this.#ending ??= closedLost(error),
    );
  }

  get remote(): Address {
    return remoteOf(this.#conn);
  }

  /** How the connection ended, or `undefined` while it lives. */
  get ending(): Closed | undefined {
    return this.#ending;
  }

  async open(signal: AbortSignal): Promise<Stream> {
    throwIfAborted(signal);
    try {
      const opening = this.#conn.createBidirectionalStream({
        waitUntilAvailable: true,
      });
      const late = (stream: Deno.QuicBidirectionalStream): void =>
        this.#wrap(stream).abandon();
      return this.#wrap(await orAbort(opening, signal, late));
    } catch (error) {
      throw streamError(error, "open a stream", this.#ending);
    }
  }

  async accept(signal: AbortSignal): Promise<Stream | undefined> {
    using _turn = await this.#turn.enter(signal);
    this.#streams ??= this.#conn.incomingBidirectionalStreams.getReader();
    this.#arriving ??= this.#streams.read();
    let next;
    try {
      next = await orAbort(this.#arriving, signal);
    } catch {
      throwIfAborted(signal);
      // Waiting for a stream fails with its connection and with nothing else, and then the end is about to be told.
      await this.closed;
      return undefined;
    }
    this.#arriving = undefined;
    return next.value && this.#wrap(next.value);
  }

  close(code: number, reason: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = { code, reason };
    this.#conn.close({ closeCode: code, reason });
  }

  #wrap(stream: Deno.QuicBidirectionalStream): QuicStream {
    return new QuicStream(stream, () => this.#ending);
  }
}

/** Where the packets of a connection come from, in the form we compare. */
export function remoteOf(conn: Deno.QuicConn): Address {
  const { hostname, port } = conn.remoteAddr;
  return { ip: canonicalIp(hostname) ?? hostname, port };
}
