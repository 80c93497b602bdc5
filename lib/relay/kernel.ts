/** The data path in a thread of its own, which takes and sends packets in batches: Linux only. An adapter. */
import {
  assert,
  orAbort,
  type Runtime,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import type { SessionEnd, SessionTerms, Side } from "@tesseras/nat";
import {
  cannotBind,
  checkPorts,
  type ForwardedPair,
  type Forwarder,
  type ForwarderOptions,
  isOver,
  noPair,
  type PairRequest,
  portsToTry,
  tell,
} from "./forwarder.ts";
import { bindUdp, isLinux, type Libc, openLibc } from "./kernel_libc.ts";
import type { KernelAsk, KernelSaid } from "./kernel_messages.ts";
import { emptyTally, type Tally } from "./pair.ts";

/** What is written to a doorbell: one more has rung. */
const RING = BigInt64Array.of(1n);

/**
 * Starts the thread.
 *
 * @throws `unusable` where the kernel or its library is another, or calling it is not allowed; for an IP or ports that cannot be bound
 */
export async function openKernel(
  options: ForwarderOptions,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<Forwarder> {
  checkPorts(options.ports);
  throwIfAborted(signal);
  const library = libraryHere();
  try {
    checkIp(library.symbols, options.ip);
  } catch (error) {
    library.close();
    throw error;
  }
  const forwarder = new KernelForwarder(options, runtime, library);
  try {
    // A thread starts in a fraction of a second; one that was given up would keep what it opened.
    await forwarder.ready;
    throwIfAborted(signal);
    return forwarder;
  } catch (error) {
    await forwarder[Symbol.asyncDispose]();
    throw error;
  }
}

function libraryHere(): ReturnType<typeof openLibc> {
  if (!isLinux()) {
    throw new TesserasError(
      "unusable",
      `Cannot forward in batches on ${Deno.build.target}: wanted Linux`,
    );
  }
  try {
    return openLibc();
  } catch (cause) {
    throw new TesserasError(
      "unusable",
      `Cannot forward in batches: ${cause}`,
      { cause },
    );
  }
}

function checkIp(libc: Libc, ip: string): void {
  const probe = bindUdp(libc, { ip, port: 0 });
  if (probe === undefined) throw cannotBind(ip);
  libc.close(probe.fd);
}

class KernelForwarder implements Forwarder {
  readonly kind = "kernel";
  readonly failed: Promise<unknown>;
  /** Resolves when the thread can be asked. */
  readonly ready: Promise<void>;
  readonly #options: ForwarderOptions;
  readonly #runtime: Runtime;
  readonly #library: { readonly symbols: Libc; close(): void };
  readonly #worker: Worker;
  readonly #posted = new Int32Array(new SharedArrayBuffer(4));
  readonly #pairs = new Map<number, KernelPair>();
  /** In the order of asking, which is that of the answers. */
  readonly #unheard: (() => void)[] = [];
  readonly #begun = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #failing = Promise.withResolvers<unknown>();
  #doorbell = -1;
  #lastId = 0;
  #isClosed = false;
  #isDisposed = false;

  constructor(
    options: ForwarderOptions,
    runtime: Runtime,
    library: { readonly symbols: Libc; close(): void },
  ) {
    this.#options = options;
    this.#runtime = runtime;
    this.#library = library;
    this.ready = this.#begun.promise;
    this.failed = this.#failing.promise;
    this.#worker = new Worker(new URL("./kernel_worker.ts", import.meta.url), {
      type: "module",
      name: "relay",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<KernelSaid>) =>
      this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(event.message));
    };
    this.#post({ type: "start", ip: options.ip, posted: this.#posted });
  }

  get pairCount(): number {
    return this.#pairs.size;
  }

  async open(
    { ip, terms }: PairRequest,
    signal: AbortSignal,
  ): Promise<ForwardedPair> {
    throwIfAborted(signal);
    if (this.#isClosed) throw isOver();
    const { ports, pairsMax } = this.#options;
    if (this.#pairs.size >= pairsMax) throw noPair(`${pairsMax} are open`);
    const id = ++this.#lastId;
    const pair = new KernelPair(id, (ask) => this.#ask(ask));
    this.#pairs.set(id, pair);
    const { random } = this.#runtime;
    const tries = [portsToTry(ports, random), portsToTry(ports, random)];
    this.#post({
      type: "open",
      id,
      peerIp: ip,
      terms,
      ports: [tries[0]!, tries[1]!],
    });
    const opened = pair.opened.then((isOpen) => {
      if (!isOpen) {
        throw noPair(`no port of ${ports.from} to ${ports.to} is free`);
      }
      return pair;
    });
    return await orAbort(opened, signal, () => pair.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.#post({ type: "stop" });
    this.#isClosed = true;
    await this.#stopped.promise;
    this.#worker.terminate();
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#library.close();
  }

  /** Resolves when the thread has done it, or is gone. */
  #ask(ask: KernelAsk): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unheard.push(resolve);
    this.#post(ask);
    return promise;
  }

  #post(ask: KernelAsk): void {
    Atomics.add(this.#posted, 0, 1);
    this.#worker.postMessage(ask);
    if (this.#doorbell < 0) return;
    this.#library.symbols.write(this.#doorbell, RING, 8n);
  }

  #hear(said: KernelSaid): void {
    switch (said.type) {
      case "ready":
        this.#doorbell = said.doorbell;
        return this.#begun.resolve();
      case "unusable":
        return this.#fail(
          new TesserasError(
            "unusable",
            `Cannot forward in batches: ${said.why}`,
          ),
        );
      case "done":
        return this.#unheard.shift()?.();
      case "opened":
        return this.#pairs.get(said.id)?.hearOpened(said.ports);
      case "noPort":
        this.#pairs.get(said.id)?.hearEnd("closed");
        this.#pairs.delete(said.id);
        return;
      case "tally":
        return this.#note(said.id, said.tally);
      case "ended":
        this.#note(said.id, said.tally);
        this.#pairs.get(said.id)?.hearEnd(said.why);
        this.#pairs.delete(said.id);
        return;
      case "stopped":
        return this.#end();
    }
  }

  #note(id: number, tally: Tally): void {
    const pair = this.#pairs.get(id);
    if (pair !== undefined) tell(tally, pair.tally, this.#runtime.counters);
  }

  /** The thread is gone, by a bug of ours once it had begun: nobody may wait for it. */
  #fail(error: Error): void {
    this.#isClosed = true;
    this.#begun.reject(error);
    this.#failing.resolve(error);
    this.#end();
  }

  /** Nobody answers any more. */
  #end(): void {
    for (const pair of this.#pairs.values()) pair.hearEnd("closed");
    this.#pairs.clear();
    for (const heard of this.#unheard.splice(0)) heard();
    this.#stopped.resolve();
  }
}

class KernelPair implements ForwardedPair {
  readonly tally: Tally = emptyTally();
  readonly ended: Promise<SessionEnd>;
  /** Whether the ports are bound. */
  readonly opened: Promise<boolean>;
  readonly #id: number;
  readonly #ask: (ask: KernelAsk) => Promise<void>;
  readonly #opening = Promise.withResolvers<boolean>();
  readonly #ending = Promise.withResolvers<SessionEnd>();
  #ports: readonly [number, number] | undefined;
  #isOver = false;

  constructor(id: number, ask: (ask: KernelAsk) => Promise<void>) {
    this.#id = id;
    this.#ask = ask;
    this.opened = this.#opening.promise;
    this.ended = this.#ending.promise;
  }

  get ports(): readonly [number, number] {
    assert(this.#ports !== undefined, "a pair is given out when it is bound");
    return this.#ports;
  }

  relock(side: Side, peerIp: string): Promise<void> {
    return this.#tell({ type: "relock", id: this.#id, side, peerIp });
  }

  lift(terms: SessionTerms): Promise<void> {
    return this.#tell({ type: "lift", id: this.#id, terms });
  }

  close(): void {
    // What became of it is told by `ended`.
    this.#tell({ type: "close", id: this.#id });
  }

  hearOpened(ports: readonly [number, number]): void {
    this.#ports = ports;
    this.#opening.resolve(true);
  }

  hearEnd(why: SessionEnd): void {
    this.#isOver = true;
    this.#opening.resolve(false);
    this.#ending.resolve(why);
  }

  #tell(ask: KernelAsk): Promise<void> {
    return this.#isOver ? Promise.resolve() : this.#ask(ask);
  }
}
