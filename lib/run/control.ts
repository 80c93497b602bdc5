/**
 * How `tes` talks to `tesd`: a Unix socket in a folder of 0700, the same length-prefixed MessagePack frames as the wire,
 * one call a connection: a request, events while it runs, then a result or an error.
 */
import {
  codeOf,
  messageOf,
  orAbort,
  type Runtime,
  Tasks,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  closeQuietly,
  type ControlMessage,
  ControlReader,
  encodeControl,
  isGone,
  type JsonObject,
  parseJson,
  writeFrame,
} from "./control_frames.ts";
import { ALREADY_RUNNING } from "./data_lock.ts";
import { claimSocketFolder } from "./socket_folder.ts";

/** Answers one call; `emit` sends events before the result. The signal aborts when the client hangs up or the node stops. */
export type ControlHandler = (
  parameters: JsonObject,
  emit: (event: JsonObject) => void,
  signal: AbortSignal,
) => Promise<JsonObject>;

/** Connections at once: people and scripts, not peers. */
export const CLIENTS_MAX = 32;
/** Events waiting for a client that does not read; more are left out, the result never. */
const EVENTS_WAITING_MAX = 256;
/** How long a client may take to say what it wants. */
const CALL_MS = 5_000;
/** How long a client may leave its answer unread: it may be suspended for a moment, not for ever. */
const UNREAD_MS = 60_000;
/** How long calls under way may go on when the node stops; then they are cancelled, and told so. */
const DRAIN_MS = 2_000;
/** How long the last word may take when the node stops. */
const LAST_WORD_MS = 500;
/** The pause after the system refused a connection, which it does when files run out. */
const ACCEPT_PAUSE_MS = 100;

const never: AbortSignal = new AbortController().signal;

/**
 * Listens on a Unix socket until the result is disposed, which lets calls under way end first. The signal cancels them.
 *
 * @throws `inUse` when another process answers there, `unusable` when its folder is not ours
 */
export async function serveControl(
  path: { readonly socketDir: string; readonly socket: string },
  handlers: Readonly<Record<string, ControlHandler>>,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  throwIfAborted(signal);
  await claimSocketFolder(path.socketDir);
  await clearStale(path.socket);
  const listener = Deno.listen({ transport: "unix", path: path.socket });
  try {
    await Deno.chmod(path.socket, 0o600);
    return new ControlServer(listener, handlers, { runtime, signal });
  } catch (error) {
    closeQuietly(listener);
    throw error;
  }
}

/** Removes the socket of a process that died; leaves a living one alone. */
async function clearStale(socket: string): Promise<void> {
  try {
    using _probe = await Deno.connect({ transport: "unix", path: socket });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    await Deno.remove(socket);
    return;
  }
  throw new TesserasError("inUse", ALREADY_RUNNING);
}

type Handlers = Readonly<Record<string, ControlHandler>>;

class ControlServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #handlers: Handlers;
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  /** Every connection with the work for it. */
  readonly #clients = new Map<Client, Promise<void>>();

  constructor(
    listener: Deno.UnixListener,
    handlers: Handlers,
    { runtime, signal }: {
      readonly runtime: Runtime;
      readonly signal: AbortSignal;
    },
  ) {
    this.#listener = listener;
    this.#handlers = handlers;
    this.#runtime = runtime;
    this.#tasks = new Tasks(signal);
    this.#tasks.spawn((scopeSignal) => this.#acceptAll(scopeSignal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The platform removes the socket's file with its listener.
    closeQuietly(this.#listener);
    for (const client of this.#clients.keys()) {
      if (!client.isBusy) client.close();
    }
    using deadline = this.#runtime.clock.deadline(DRAIN_MS, never);
    try {
      const ended = Promise.all(this.#clients.values());
      await orAbort(ended, deadline.signal);
    } catch (error) {
      if (codeOf(error) !== "timeout") throw error;
    } finally {
      await this.#tasks.stop();
    }
  }

  async #acceptAll(signal: AbortSignal): Promise<void> {
    for (;;) {
      let connection: Deno.UnixConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (isGone(error)) return;
        this.#runtime.counters.add("control.accept_failed");
        await this.#runtime.clock.sleep(ACCEPT_PAUSE_MS, signal);
        continue;
      }
      this.#take(new Client(connection, this.#runtime));
    }
  }

  #take(client: Client): void {
    // A scope that has ended starts nothing, so nobody else would close it.
    if (this.#tasks.signal.aborted) return client.close();
    const isFull = this.#clients.size >= CLIENTS_MAX;
    if (isFull) this.#runtime.counters.add("control.refused");
    this.#tasks.spawn((signal) => {
      const work = isFull
        ? client.turnAway(signal)
        : client.serve(this.#handlers, signal);
      if (isFull) return work;
      const ended = work.finally(() => this.#clients.delete(client));
      this.#clients.set(client, ended);
      return ended;
    });
  }
}

/** One connection: it asks once, and is answered once. */
class Client {
  readonly #connection: Deno.UnixConn;
  readonly #runtime: Runtime;
  readonly #reader: ControlReader;
  readonly #out: Outbox;
  #isBusy = false;

  constructor(connection: Deno.UnixConn, runtime: Runtime) {
    this.#connection = connection;
    this.#runtime = runtime;
    this.#reader = new ControlReader(connection);
    this.#out = new Outbox(connection, runtime);
  }

  /** Whether a call is under way. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  close(): void {
    closeQuietly(this.#connection);
  }

  /** Never fails: what goes wrong is told to the client, and to the log when it is our fault. */
  async serve(handlers: Handlers, signal: AbortSignal): Promise<void> {
    try {
      using deadline = this.#runtime.clock.deadline(CALL_MS, signal);
      const call = await orAbort(this.#reader.next(), deadline.signal);
      if (call?.kind !== "call") return;
      this.#isBusy = true;
      await this.#serveCall(call, handlers, signal);
    } catch (error) {
      await this.#fail("", error, signal);
    } finally {
      this.close();
    }
  }

  async turnAway(signal: AbortSignal): Promise<void> {
    const full = new TesserasError(
      "overloaded",
      `Cannot take this call: ${CLIENTS_MAX} others are open; try again`,
    );
    await this.#fail("", full, signal);
    this.close();
  }

  async #serveCall(
    call: ControlMessage,
    handlers: Handlers,
    signal: AbortSignal,
  ): Promise<void> {
    const { name } = call;
    // Whoever hangs up has lost interest: the work stops, what is done stays.
    const gone = new AbortController();
    const hungUp = this.#reader.waitForEnd()
      .then(() => gone.abort(), () => gone.abort());
    const all = AbortSignal.any([signal, gone.signal]);
    try {
      const handler = handlerOf(handlers, name);
      const emit = (event: JsonObject): void =>
        this.#out.event({ kind: "event", name, json: JSON.stringify(event) });
      const result = await handler(parseJson(call.json), emit, all);
      const json = JSON.stringify(result);
      await this.#out.last({ kind: "result", name, json }, signal);
    } catch (error) {
      await this.#fail(name, error, signal);
    } finally {
      this.close();
      await hungUp;
    }
  }

  async #fail(
    name: string,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    if (codeOf(error) === undefined) {
      const reason = messageOf(error);
      this.#runtime.log.error("control.failed", { call: name, reason });
    }
    const isStopping = signal.aborted && codeOf(error) === "cancelled";
    const code = isStopping ? "unreachable" : codeOf(error) ?? "refused";
    const message = isStopping
      ? `Cannot finish ${name}: the node is stopping; what was acknowledged is kept, run it again`
      : messageOf(error);
    const json = JSON.stringify({ code, message: message.slice(0, 4_096) });
    await this.#out.last({ kind: "error", name, json }, signal);
  }
}

function handlerOf(handlers: Handlers, name: string): ControlHandler {
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (handler !== undefined) return handler;
  throw new TesserasError("refused", `Cannot do ${name}: not offered here`);
}

/** Sends in order; events beyond a bound are left out when the client does not read. */
class Outbox {
  readonly #connection: Deno.UnixConn;
  readonly #runtime: Runtime;
  #tail: Promise<void> = Promise.resolve();
  #waitingCount = 0;
  #isOver = false;

  constructor(connection: Deno.UnixConn, runtime: Runtime) {
    this.#connection = connection;
    this.#runtime = runtime;
  }

  event(message: ControlMessage): void {
    if (this.#isOver) return;
    if (this.#waitingCount >= EVENTS_WAITING_MAX) {
      return this.#runtime.counters.add("control.events_dropped");
    }
    try {
      this.#push(encodeControl(message));
    } catch (error) {
      // Too large for a frame: progress is not worth the work it tells of.
      if (codeOf(error) !== "overloaded") throw error;
      this.#runtime.counters.add("control.events_dropped");
    }
  }

  /**
   * Sends the answer behind all events, and waits until it is written or the client does not want it.
   *
   * @throws `overloaded` when it is too large; then another may be sent
   */
  async last(message: ControlMessage, signal: AbortSignal): Promise<void> {
    if (this.#isOver) return;
    const frame = encodeControl(message);
    this.#isOver = true;
    this.#push(frame);
    await this.#flushed(UNREAD_MS, signal) ||
      await this.#flushed(LAST_WORD_MS, never);
  }

  /** Whether everything was written in time, or cannot be any more. */
  async #flushed(ms: number, signal: AbortSignal): Promise<boolean> {
    using deadline = this.#runtime.clock.deadline(ms, signal);
    try {
      await orAbort(this.#tail, deadline.signal);
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  }

  #push(frame: Uint8Array): void {
    this.#waitingCount++;
    this.#tail = this.#tail
      .then(() => writeFrame(this.#connection, frame))
      .catch((error) => {
        // What cannot be written has nobody to read it; the rest need not be tried.
        this.#isOver = true;
        if (!isGone(error)) this.#runtime.counters.add("control.unsent");
      })
      .finally(() => {
        this.#waitingCount--;
      });
  }
}
