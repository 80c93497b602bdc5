/** A simulated connection: two ends that hear of each other only through messages which the links delay, hold or lose. */
import {
  type Address,
  TesserasError,
  throwIfAborted,
  type VirtualClock,
} from "@tesseras/core";
import { KEEPALIVE_MS, STREAMS_MAX } from "@tesseras/core/limits";
import { Bell } from "./bell.ts";
import { SIM_IDLE_MS, type SimLinks } from "./sim_links.ts";
import type { SimPath } from "./sim_path.ts";
import { SimStream } from "./sim_stream.ts";
import {
  type Closed,
  CLOSED_LOST,
  type Connection,
  type Stream,
} from "./transport.ts";

/** What the ends of a connection share with everything else in the network. */
export type SimWorld = {
  readonly clock: VirtualClock;
  readonly links: SimLinks;
  readonly trace: SimTrace;
};

/** Tells the trace of one event. Nodes are named by their printed addresses. */
export type SimTrace = (
  what: SimEventKind,
  from: string,
  to: string,
  bytes: number,
) => void;

/** What a trace tells of. */
export type SimEventKind =
  | "dial"
  | "connect"
  | "refuse"
  | "send"
  | "arrive"
  | "close"
  | "lose"
  | "crash";

/** What one end is made from. */
export type SimEndOptions = {
  /** How both ends are called in traces and links. */
  readonly from: string;
  readonly to: string;
  readonly remote: Address;
  /** Where NATs stand in the way. */
  readonly path?: SimPath | undefined;
  readonly dialled: boolean;
  /** Called once, when this end is over. */
  readonly onOver: (end: SimConnection) => void;
};

/** A message a cut holds back, in the order it was sent. */
type Held = { readonly order: number; readonly send: () => void };

/** The first wait before a packet that a NAT let in to nobody is sent again; it doubles, as for any that is lost (RFC 9002, 6.2.1). */
const RESEND_MS = 200;
/** The longest such wait. */
const RESEND_MS_MAX = 4_000;

/** One end of a connection. */
export class SimConnection implements Connection {
  readonly dialled: boolean;
  readonly closed: Promise<Closed>;
  readonly #world: SimWorld;
  readonly #remote: Address;
  readonly #path: SimPath | undefined;
  readonly #from: string;
  readonly #to: string;
  readonly #onOver: (end: SimConnection) => void;
  readonly #resolveClosed: (closed: Closed) => void;
  readonly #bell = new Bell();
  readonly #arrived: SimStream[] = [];
  readonly #streams = new Set<SimStream>();
  #peer!: SimConnection;
  #openedCount = 0;
  #sentCount = 0;
  #held: Held[] = [];
  #stopDying: (() => void) | undefined;
  #stopKeepalive: (() => void) | undefined;
  #resendMs = RESEND_MS;
  #ending: Closed | undefined;

  private constructor(world: SimWorld, options: SimEndOptions) {
    this.#world = world;
    this.#remote = options.remote;
    this.#path = options.path;
    this.dialled = options.dialled;
    this.#from = options.from;
    this.#to = options.to;
    this.#onOver = options.onOver;
    const { promise, resolve } = Promise.withResolvers<Closed>();
    this.closed = promise;
    this.#resolveClosed = resolve;
  }

  /** Makes both ends of a connection whose handshake is done. */
  static pair(
    world: SimWorld,
    near: SimEndOptions,
    far: SimEndOptions,
  ): { readonly near: SimConnection; readonly far: SimConnection } {
    const ends = {
      near: new SimConnection(world, near),
      far: new SimConnection(world, far),
    };
    ends.near.#peer = ends.far;
    ends.far.#peer = ends.near;
    if (near.path !== undefined) ends.near.#keepAlive();
    return ends;
  }

  get remote(): Address {
    return this.#path?.remote ?? this.#remote;
  }

  get peer(): SimConnection {
    return this.#peer;
  }

  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  async open(signal: AbortSignal): Promise<Stream> {
    for (;;) {
      throwIfAborted(signal);
      this.throwIfOver("open a stream");
      if (this.#openedCount < STREAMS_MAX) break;
      await this.#bell.wait(signal);
    }
    this.#openedCount++;
    const stream = SimStream.pair(this, {
      announce: (far) => this.#peer.#onStream(far),
      release: () => this.#onRelease(),
    });
    this.#streams.add(stream);
    return stream;
  }

  async accept(signal: AbortSignal): Promise<Stream | undefined> {
    for (;;) {
      throwIfAborted(signal);
      if (this.isOver) return undefined;
      const stream = this.#arrived.shift();
      if (stream !== undefined) return stream;
      await this.#bell.wait(signal);
    }
  }

  close(code: number, reason: string): void {
    if (this.isOver) return;
    const { clock, links, trace } = this.#world;
    trace("close", this.#from, this.#to, 0);
    const peer = this.#peer;
    const delayMs = links.isCut(this.#from, this.#to)
      ? undefined
      : links.delayMs(this.#from, this.#to, 0);
    const getsIn = this.#path?.leave(0);
    this.end({ code, reason });
    // A close is said once. When it does not get through, the other end finds out by silence.
    if (delayMs === undefined) clock.after(SIM_IDLE_MS, () => peer.lose());
    else {
      clock.after(delayMs, () => {
        if (getsIn?.() ?? true) peer.end({ code, reason });
        else peer.orphan();
      });
    }
  }

  /** Sends a message to the other end; `arrive` runs there. Held back while the link is cut, and lost with the connection. */
  send(bytes: number, arrive: () => void): void {
    this.#transmit(this.#sentCount++, bytes, arrive);
  }

  /** Sends again what a cut held back, now that the link may be whole. */
  resume(): void {
    if (this.#world.links.isCut(this.#from, this.#to)) return;
    this.#stopDying?.();
    this.#stopDying = undefined;
    const held = this.#held.sort((a, b) => a.order - b.order);
    this.#held = [];
    for (const { send } of held) send();
  }

  /** Starts to die of silence when the link is cut and stays so. */
  suffer(): void {
    if (!this.#world.links.isCut(this.#from, this.#to)) return;
    this.#stopDying ??= this.#world.clock.after(
      SIM_IDLE_MS,
      () => this.lose(),
    );
  }

  /** Dies of silence later, because the other end is gone without a word. */
  orphan(): void {
    this.#world.clock.after(SIM_IDLE_MS, () => this.lose());
  }

  /** Dies of silence now. */
  lose(): void {
    if (this.isOver) return;
    this.#world.trace("lose", this.#from, this.#to, 0);
    this.end({ code: CLOSED_LOST, reason: "timed out" });
  }

  /** Is over, and says nothing to the other end. */
  end(closed: Closed): void {
    if (this.isOver) return;
    this.#ending = closed;
    this.#stopDying?.();
    this.#stopKeepalive?.();
    this.#held = [];
    this.#arrived.length = 0;
    this.#onOver(this);
    this.#resolveClosed(closed);
    this.#bell.ring();
    for (const stream of this.#streams) stream.wake();
    this.#streams.clear();
  }

  /** @throws `unreachable` when this end is over */
  throwIfOver(doing: string): void {
    if (this.#ending === undefined) return;
    const { code, reason } = this.#ending;
    throw new TesserasError(
      "unreachable",
      `Cannot ${doing}: the connection is over (code ${code} ${
        JSON.stringify(reason)
      })`,
    );
  }

  /** Stops waking a stream that is done. */
  forget(stream: SimStream): void {
    this.#streams.delete(stream);
  }

  #transmit(order: number, bytes: number, arrive: () => void): void {
    if (this.isOver) return;
    const { clock, links, trace } = this.#world;
    const again = () => this.#transmit(order, bytes, arrive);
    if (links.isCut(this.#from, this.#to)) {
      this.#held.push({ order, send: again });
      return;
    }
    trace("send", this.#from, this.#to, bytes);
    const delayMs = links.delayMs(this.#from, this.#to, bytes);
    if (delayMs === undefined) return this.#loseBoth();
    const getsIn = this.#path?.leave(bytes);
    clock.after(delayMs, () => {
      if (this.#peer.isOver) return;
      if (links.isCut(this.#from, this.#to)) {
        if (!this.isOver) this.#held.push({ order, send: again });
        return;
      }
      if (getsIn?.() === false) return this.#resend(again);
      if (getsIn !== undefined) this.#passed();
      trace("arrive", this.#from, this.#to, bytes);
      arrive();
    });
  }

  /** A NAT let a packet in to nobody: it is sent again until one gets in, or the connection is dead. */
  #resend(again: () => void): void {
    for (const end of [this, this.#peer]) end.#fade();
    this.#resendMs = Math.min(RESEND_MS_MAX, 2 * this.#resendMs);
    this.#world.clock.after(this.#resendMs, again);
  }

  /** A packet got in, and what acknowledges it gets back the same way. */
  #passed(): void {
    this.#resendMs = RESEND_MS;
    for (const end of [this, this.#peer]) {
      end.#stopDying?.();
      end.#stopDying = undefined;
    }
  }

  /** Dies of silence unless a packet gets in before. */
  #fade(): void {
    if (this.isOver) return;
    this.#stopDying ??= this.#world.clock.after(SIM_IDLE_MS, () => this.lose());
  }

  /** Sends now and then, so that NATs in between remember the way, as the dialer's transport does with packets of its own. */
  #keepAlive(): void {
    this.#stopKeepalive = this.#world.clock.after(KEEPALIVE_MS, () => {
      this.send(0, () => {});
      this.#keepAlive();
    });
  }

  /** Loss so long that either end gives the other up for dead. */
  #loseBoth(): void {
    this.orphan();
    this.#peer.orphan();
  }

  #onStream(stream: SimStream): void {
    if (this.isOver) return;
    this.#streams.add(stream);
    this.#arrived.push(stream);
    this.#bell.ring();
  }

  #onRelease(): void {
    this.#openedCount--;
    this.#bell.ring();
  }
}
