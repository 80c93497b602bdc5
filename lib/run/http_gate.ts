/**
 * The door before an HTTP server. Deno's own waits without end for a client that sends half a request, or nothing, and takes as many
 * as there are file handles, which a node needs for its disk. So connections come in here, so many and for so long, and what they
 * say goes on to the server over loopback.
 */
import { type Clock, type Counters, orAbort, Tasks } from "@tesseras/core";

/** What a door works with. */
export type HttpGateParts = {
  readonly clock: Clock;
  readonly counters: Counters;
};

/** Connections open at once; one more ends the oldest, for an honest one takes milliseconds. */
const CONNECTIONS_MAX = 256;
/** How long one may last: the largest page at the slowest pace of any transfer, twice. */
const CONNECTION_MS = 32_000;
/** Bytes on their way from one side to the other. */
const CHUNK_BYTES = 16 * 1024;
/** How long not to accept after accepting failed, as it does without file handles. */
const PAUSE_MS = 100;

/** Lets connections through to a server on this machine. Disposing it ends those that are open. */
export class HttpGate implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #inner: Deno.NetAddr;
  readonly #parts: HttpGateParts;
  readonly #tasks = new Tasks(new AbortController().signal);
  /** What ends each connection, the oldest first. */
  readonly #open = new Set<AbortController>();
  /** Who is at the other end of each connection, by the port from which it goes on to the server. */
  readonly #remotes = new Map<number, string>();

  constructor(
    listener: Deno.TcpListener,
    inner: Deno.NetAddr,
    parts: HttpGateParts,
  ) {
    this.#listener = listener;
    this.#inner = inner;
    this.#parts = parts;
    this.#tasks.spawn((signal) => this.#acceptForever(signal));
  }

  /** The IP address of who is behind a connection to the server; whoever comes to it otherwise is on this machine. */
  remoteOf({ hostname, port }: Deno.NetAddr): string {
    return this.#remotes.get(port) ?? hostname;
  }

  /** Takes no more connections; those that are open go on. */
  close(): void {
    try {
      this.#listener.close();
    } catch {
      // closed before
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#tasks.stop();
  }

  async #acceptForever(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    for (;;) {
      try {
        const outer = await this.#listener.accept();
        this.#admit(outer);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return; // closed
        if (error instanceof Deno.errors.Interrupted) return; // closed
        await clock.sleep(PAUSE_MS, signal);
      }
    }
  }

  #admit(outer: Deno.TcpConn): void {
    const { counters } = this.#parts;
    if (this.#open.size >= CONNECTIONS_MAX) {
      const [oldest] = this.#open;
      oldest!.abort();
      this.#open.delete(oldest!);
      counters.add("http.closed_full");
    }
    const end = new AbortController();
    this.#open.add(end);
    const began = this.#tasks.spawn(async (signal) => {
      try {
        await this.#carry(outer, AbortSignal.any([signal, end.signal]));
      } finally {
        this.#open.delete(end);
        close(outer);
      }
    });
    if (!began) close(outer);
  }

  /** Carries bytes both ways until a side ends, or time is up. */
  async #carry(outer: Deno.TcpConn, signal: AbortSignal): Promise<void> {
    const { clock, counters } = this.#parts;
    using deadline = clock.deadline(CONNECTION_MS, signal);
    let inner: Deno.TcpConn | undefined;
    try {
      const connecting = Deno.connect({
        hostname: this.#inner.hostname,
        port: this.#inner.port,
      });
      inner = await orAbort(connecting, deadline.signal, close);
      const { port } = inner.localAddr;
      using stack = new DisposableStack();
      this.#remotes.set(port, outer.remoteAddr.hostname);
      stack.defer(() => this.#remotes.delete(port));
      const asked = pour(outer, inner);
      try {
        await orAbort(pour(inner, outer), deadline.signal);
      } finally {
        close(outer);
        close(inner);
        await asked;
      }
    } catch {
      if (deadline.signal.aborted && !signal.aborted) {
        counters.add("http.closed_slow");
      }
    } finally {
      if (inner !== undefined) close(inner);
    }
  }
}

/** Reads from one and writes to the other until the first has no more, or either is closed. */
async function pour(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  try {
    for (;;) {
      const count = await from.read(chunk);
      if (count === null) break;
      for (let at = 0; at < count;) {
        at += await to.write(chunk.subarray(at, count));
      }
    }
    await to.closeWrite();
  } catch {
    // A side that is gone has nothing more to say, and hears nothing.
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // closed before
  }
}
