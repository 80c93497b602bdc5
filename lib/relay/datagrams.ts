/** The data path on the platform's own sockets: works everywhere, in the caller's thread. An adapter. */
import {
  type Address,
  canonicalIp,
  type Runtime,
  Tasks,
  throwIfAborted,
} from "@tesseras/core";
import {
  otherSide,
  type SessionEnd,
  type SessionTerms,
  type Side,
} from "@tesseras/nat";
import {
  cannotBind,
  checkPorts,
  type ForwardedPair,
  type Forwarder,
  type ForwarderOptions,
  noPair,
  type PairRequest,
  portsToTry,
  SWEEP_MS,
  tell,
} from "./forwarder.ts";
import { type Arrival, emptyTally, Pair, type Tally } from "./pair.ts";

/** Larger than any packet between two networks; what is longer is cut and its receiver drops it. */
const PACKET_BYTES_MAX = 2_048;

/**
 * Begins; nothing is bound yet.
 *
 * @throws `unusable` for an IP or ports that cannot be bound
 */
export function openDatagrams(
  options: ForwarderOptions,
  runtime: Runtime,
): Forwarder {
  checkPorts(options.ports);
  bind(options.ip, 0)?.close();
  return new Datagrams(options, runtime);
}

class Datagrams implements Forwarder {
  readonly kind = "datagrams";
  readonly failed: Promise<unknown>;
  readonly #options: ForwarderOptions;
  readonly #runtime: Runtime;
  readonly #pairs = new Set<SocketPair>();
  readonly #tasks = new Tasks(new AbortController().signal);

  constructor(options: ForwarderOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
    this.failed = this.#tasks.failed;
    this.#tasks.spawn((signal) => this.#sweep(signal));
  }

  get pairCount(): number {
    return this.#pairs.size;
  }

  // deno-lint-ignore require-await -- the port's other side waits
  async open(
    request: PairRequest,
    signal: AbortSignal,
  ): Promise<ForwardedPair> {
    throwIfAborted(signal);
    throwIfAborted(this.#tasks.signal);
    const { pairsMax } = this.#options;
    if (this.#pairs.size >= pairsMax) throw noPair(`${pairsMax} are open`);
    using stack = new DisposableStack();
    const one = stack.adopt(this.#bind(), (socket) => socket.close());
    const other = stack.adopt(this.#bind(), (socket) => socket.close());
    const pair = new SocketPair([one, other], request, this.#runtime);
    stack.move();
    this.#pairs.add(pair);
    pair.ended.then(() => this.#pairs.delete(pair));
    this.#tasks.spawn(() => pair.run());
    return pair;
  }

  #bind(): Deno.DatagramConn {
    const { ip, ports } = this.#options;
    for (const port of portsToTry(ports, this.#runtime.random)) {
      const socket = bind(ip, port);
      if (socket !== undefined) return socket;
    }
    throw noPair(`no port of ${ports.from} to ${ports.to} is free`);
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#runtime.clock.sleep(SWEEP_MS, signal);
      for (const pair of this.#pairs) pair.look();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.close();
    await this.#tasks.stop();
  }
}

/** Two sockets and what moves between them. */
class SocketPair implements ForwardedPair {
  readonly ports: readonly [number, number];
  readonly ended: Promise<SessionEnd>;
  readonly #sockets: readonly [Deno.DatagramConn, Deno.DatagramConn];
  readonly #runtime: Runtime;
  readonly #pair: Pair;
  readonly #told: Tally = emptyTally();
  readonly #end: (why: SessionEnd) => void;
  readonly #targets: [Target | undefined, Target | undefined] = [
    undefined,
    undefined,
  ];
  #why: SessionEnd | undefined;

  constructor(
    sockets: readonly [Deno.DatagramConn, Deno.DatagramConn],
    { ip, terms }: PairRequest,
    runtime: Runtime,
  ) {
    this.#sockets = sockets;
    this.#runtime = runtime;
    this.#pair = new Pair(ip, terms, runtime.clock.monotonicMs());
    this.ports = [portOf(sockets[0]), portOf(sockets[1])];
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#end = resolve;
  }

  get tally(): Readonly<Tally> {
    return this.#pair.tally;
  }

  relock(side: Side, ip: string): Promise<void> {
    this.#pair.relock(side, ip, this.#runtime.clock.monotonicMs());
    return Promise.resolve();
  }

  lift(terms: SessionTerms): Promise<void> {
    this.#pair.lift(terms, this.#runtime.clock.monotonicMs());
    return Promise.resolve();
  }

  close(): void {
    this.#close("closed");
  }

  /** Ends the pair when its time is up, and tells the counters. */
  look(): void {
    const why = this.#pair.expire(this.#runtime.clock.monotonicMs());
    if (why !== undefined) this.#close(why);
    else tell(this.#pair.tally, this.#told, this.#runtime.counters);
  }

  /** Moves packets both ways until the pair is closed. */
  async run(): Promise<void> {
    await Promise.all([this.#forward(0), this.#forward(1)]);
    this.#end(this.#why ?? "closed");
  }

  #close(why: SessionEnd): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    tell(this.#pair.tally, this.#told, this.#runtime.counters);
    for (const socket of this.#sockets) socket.close();
  }

  async #forward(side: Side): Promise<void> {
    const other = otherSide(side);
    const buffer = new Uint8Array(PACKET_BYTES_MAX);
    const from: Address = { ip: "", port: 0 };
    const arrival: Arrival = { side, from, buffer, bytes: 0 };
    let hostname = "";
    while (this.#why === undefined) {
      const received = await this.#receive(side, buffer);
      if (received === undefined) continue;
      const [packet, sender] = received;
      // A stranger's address is made anew each time; the peer's is the same object until it changes.
      if (sender.hostname !== hostname || sender.port !== arrival.from.port) {
        hostname = sender.hostname;
        const ip = canonicalIp(hostname) ?? "";
        arrival.from = { ip, port: sender.port };
      }
      const nowMs = this.#runtime.clock.monotonicMs();
      arrival.bytes = packet.length;
      if (this.#pair.judge(arrival, nowMs)) await this.#send(other, packet);
      if (!this.#pair.isHolding(other)) continue;
      for (const held of this.#pair.release(other, nowMs)) {
        await this.#send(side, held);
      }
    }
  }

  /** The platform's words for where a side is, made once for each address. */
  #target(side: Side): Deno.NetAddr | undefined {
    const address = this.#pair.addressOf(side);
    if (address === undefined) return undefined;
    const known = this.#targets[side];
    if (known?.address === address) return known.to;
    return (this.#targets[side] = targetOf(address)).to;
  }

  async #receive(
    side: Side,
    buffer: Uint8Array,
  ): Promise<[Uint8Array, Deno.NetAddr] | undefined> {
    try {
      const [packet, from] = await this.#sockets[side].receive(buffer);
      return from.transport === "udp" ? [packet, from] : undefined;
    } catch (error) {
      // Closing fails the reads under way; Windows tells here of a packet sent earlier that nobody took.
      if (this.#why !== undefined) return undefined;
      if (error instanceof Deno.errors.ConnectionReset) return undefined;
      throw error;
    }
  }

  async #send(side: Side, packet: Uint8Array): Promise<void> {
    const to = this.#target(side);
    if (to === undefined || this.#why !== undefined) return;
    try {
      await this.#sockets[side].send(packet, to);
    } catch {
      // No route, no buffer, closed meanwhile: a packet is lost, as packets are, and counted.
      this.#pair.tally.unsentPackets++;
    }
  }
}

/** `undefined` when the port is taken. */
function bind(ip: string, port: number): Deno.DatagramConn | undefined {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname: ip, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw cannotBind(ip, error);
  }
}

/** An address in the platform's words. */
type Target = { readonly address: Address; readonly to: Deno.NetAddr };

function targetOf(address: Address): Target {
  const { ip: hostname, port } = address;
  return { address, to: { transport: "udp", hostname, port } };
}

function portOf({ addr }: Deno.DatagramConn): number {
  return addr.transport === "udp" ? addr.port : 0;
}
