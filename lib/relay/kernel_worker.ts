/// <reference lib="deno.worker" />
/** The thread that forwards: it sleeps in the kernel until a packet is there or somebody rings. Part of an adapter. */
import { messageOf } from "@tesseras/core";
import type { SessionEnd, Side } from "@tesseras/nat";
import { SWEEP_MS } from "./forwarder.ts";
import { Batch } from "./kernel_batch.ts";
import {
  bindUdp,
  type BoundSocket,
  type Libc,
  openDoorbell,
  openLibc,
  Readiness,
} from "./kernel_libc.ts";
import { Lines } from "./kernel_lines.ts";
import type { KernelAsk, KernelSaid } from "./kernel_messages.ts";

/** Descriptors told of at once; the rest is told of at the next turn. */
const EVENTS_MAX = 256;
/** The key of the doorbell; a socket's is that of its pair, doubled, and its side. */
const DOORBELL_KEY = 0;

/** Everything the thread has. */
class Thread {
  readonly #libc: Libc;
  readonly #ip: string;
  readonly #posted: Int32Array<SharedArrayBuffer>;
  readonly #doorbell: number;
  readonly #ready: Readiness;
  readonly #batch: Batch;
  readonly #lines = new Map<number, Lines>();
  #heardCount = 1;
  #onHeard: () => void = () => {};
  #stopped = false;

  constructor(libc: Libc, start: KernelAsk & { readonly type: "start" }) {
    this.#libc = libc;
    this.#ip = start.ip;
    this.#posted = start.posted;
    this.#batch = new Batch(libc);
    this.#ready = new Readiness(libc, EVENTS_MAX);
    this.#doorbell = openDoorbell(libc);
    this.#ready.add(this.#doorbell, DOORBELL_KEY);
    say({ type: "ready", doorbell: this.#doorbell });
  }

  /** Forwards until it is told to stop. */
  async run(): Promise<void> {
    let sweptMs = performance.now();
    while (!this.#stopped) {
      const count = this.#ready.wait(SWEEP_MS);
      const nowMs = performance.now();
      let rang = false;
      for (let n = 0; n < count; n++) {
        const key = this.#ready.keyAt(n);
        if (key === DOORBELL_KEY) rang = true;
        else this.#move(key, nowMs);
      }
      if (nowMs - sweptMs >= SWEEP_MS) {
        sweptMs = nowMs;
        this.#sweep(nowMs);
      }
      if (rang) await this.#hearAll();
    }
    for (const [id] of this.#lines) this.#end(id, "closed");
    this.#ready[Symbol.dispose]();
    this.#libc.close(this.#doorbell);
    say({ type: "stopped" });
  }

  /** Does what it is asked. */
  hear(ask: KernelAsk): void {
    this.#heardCount++;
    this.#do(ask);
    const { type } = ask;
    if (type === "relock" || type === "lift" || type === "close") {
      say({ type: "done" });
    }
    this.#onHeard();
  }

  #do(ask: KernelAsk): void {
    const nowMs = performance.now();
    switch (ask.type) {
      case "open":
        return this.#open(ask, nowMs);
      case "relock":
        return this.#lines.get(ask.id)?.pair
          .relock(ask.side, ask.peerIp, nowMs);
      case "lift":
        return this.#lines.get(ask.id)?.pair.lift(ask.terms, nowMs);
      case "close":
        return this.#end(ask.id, "closed");
      case "start":
        return;
      case "stop":
        this.#stopped = true;
    }
  }

  /** Gives the platform's own loop a turn for each message that was posted before the bell rang. */
  async #hearAll(): Promise<void> {
    this.#libc.read(this.#doorbell, new Uint8Array(8), 8n);
    while (this.#heardCount < Atomics.load(this.#posted, 0)) {
      await new Promise<void>((resolve) => this.#onHeard = resolve);
    }
  }

  #move(key: number, nowMs: number): void {
    const side: Side = (key & 1) === 0 ? 0 : 1;
    this.#lines.get(key >>> 1)?.move(side, this.#batch, nowMs);
  }

  #open(ask: KernelAsk & { readonly type: "open" }, nowMs: number): void {
    const one = this.#bind(ask.ports[0]);
    const other = one && this.#bind(ask.ports[1]);
    if (one === undefined || other === undefined) {
      if (one !== undefined) this.#libc.close(one.fd);
      return say({ type: "noPort", id: ask.id });
    }
    const lines = new Lines(this.#libc, [one, other], ask, nowMs);
    this.#lines.set(ask.id, lines);
    this.#ready.add(one.fd, 2 * ask.id);
    this.#ready.add(other.fd, 2 * ask.id + 1);
    say({ type: "opened", id: ask.id, ports: lines.ports });
  }

  #bind(ports: readonly number[]): BoundSocket | undefined {
    for (const port of ports) {
      const bound = bindUdp(this.#libc, { ip: this.#ip, port });
      if (bound !== undefined) return bound;
    }
    return undefined;
  }

  #sweep(nowMs: number): void {
    for (const [id, lines] of this.#lines) {
      const { pair } = lines;
      const why = pair.expire(nowMs);
      if (why !== undefined) this.#end(id, why);
      else if (lines.hasNews()) say({ type: "tally", id, tally: pair.tally });
    }
  }

  #end(id: number, why: SessionEnd): void {
    const lines = this.#lines.get(id);
    if (lines === undefined) return;
    this.#lines.delete(id);
    lines.close();
    say({ type: "ended", id, why, tally: lines.pair.tally });
  }
}

let thread: Thread | undefined;

self.onmessage = ({ data }: MessageEvent<KernelAsk>) => {
  if (data.type === "start") start(data);
  else thread?.hear(data);
};

function start(ask: KernelAsk & { readonly type: "start" }): void {
  let library: ReturnType<typeof openLibc>;
  try {
    library = openLibc();
  } catch (error) {
    return say({ type: "unusable", why: messageOf(error) });
  }
  thread = new Thread(library.symbols, ask);
  // A failure here is a bug of ours: thrown out of the thread, it reaches its owner as an error event.
  thread.run().then(() => library.close()).catch(reportError);
}

function say(message: KernelSaid): void {
  self.postMessage(message);
}
