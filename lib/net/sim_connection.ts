/** A simulated connection: two ends that hear of each other only through messages which the links delay, hold or lose. */
import {
  type Address,
  formatAddress,
  TesserasError,
  throwIfAborted,
  type VirtualClock,
} from "@tesseras/core";
import { STREAMS_MAX } from "@tesseras/core/limits";
import { Bell } from "./bell.ts";
import { SIM_IDLE_MS, type SimLinks } from "./sim_links.ts";
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
  readonly local: Address;
  readonly remote: Address;
  readonly dialled: boolean;
  /** Called once, when this end is over. */
  readonly onOver: (end: SimConnection) => void;
};

/** A message a cut holds back, in the order it was sent. */
type Held = { readonly order: number; readonly send: () => void };

/** One end of a connection. */
export class SimConnection implements Connection {
  readonly remote: Address;
  readonly dialled: boolean;
  readonly closed: Promise<Closed>;
  readonly #world: SimWorld;
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
  #ending: Closed | undefined;

  private constructor(world: SimWorld, options: SimEndOptions) {
    this.#world = world;
    this.remote = options.remote;
    this.dialled = options.dialled;
    this.#from = formatAddress(options.local);
    this.#to = formatAddress(options.remote);
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
    return ends;
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
    this.end({ code, reason });
    // A close is said once. When it does not get through, the other end finds out by silence.
    if (delayMs === undefined) clock.after(SIM_IDLE_MS, () => peer.lose());
    else clock.after(delayMs, () => peer.end({ code, reason }));
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
    clock.after(delayMs, () => {
      if (this.#peer.isOver) return;
      if (links.isCut(this.#from, this.#to)) {
        if (!this.isOver) this.#held.push({ order, send: again });
        return;
      }
      trace("arrive", this.#from, this.#to, bytes);
      arrive();
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
