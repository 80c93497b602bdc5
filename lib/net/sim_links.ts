/** The weather of the simulated network: how long a packet takes from one node to another, and whether it gets there at all. */
import type { SeededRandom, VirtualClock } from "@tesseras/core";
import { DIAL_GIVE_UP_MS } from "@tesseras/core/limits";

/** One way, in milliseconds: fixed, or drawn evenly between two bounds for every message. */
export type Latency = number | readonly [min: number, max: number];

/** What a link is like. */
export type LinkWeather = {
  readonly latencyMs?: Latency;
  /** The share of packets that get lost, 0 to 1. Streams are reliable: loss costs time, and at last the connection. */
  readonly lossRate?: number;
};

/** What the network is like where no link says otherwise. */
export type Weather = {
  readonly latencyMs: Latency | ((from: string, to: string) => Latency);
  readonly lossRate: number;
  /** What a node can send, over all its connections. */
  readonly bytesPerSecond: number;
};

/** A connection hears nothing for this long and is dead. */
export const SIM_IDLE_MS = DIAL_GIVE_UP_MS;
/** Bytes of one packet (RFC 9000, 14: the least every path carries). */
const PACKET_BYTES = 1_200;
/** Waiting for a lost packet takes at least this long (RFC 9002, 6.1.2 and 6.2: a timer granularity and an acknowledgement delay). */
const RETRANSMIT_MS_MIN = 26;

type Cut = {
  readonly one: ReadonlySet<string>;
  readonly other: ReadonlySet<string>;
};

/** Every link of a simulated network. Nodes are named by their printed addresses. */
export class SimLinks {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #weather: Weather;
  readonly #links = new Map<string, LinkWeather>();
  /** When each node's uplink is free again; only nodes that had to queue are kept. */
  readonly #busyUntilMs = new Map<string, number>();
  #cuts: Cut[] = [];

  constructor(clock: VirtualClock, random: SeededRandom, weather: Weather) {
    this.#clock = clock;
    this.#random = random;
    this.#weather = weather;
  }

  /** Gives a link a weather of its own, both ways. */
  set(one: string, other: string, weather: LinkWeather): void {
    this.#links.set(linkKey(one, other), weather);
    this.#links.set(linkKey(other, one), weather);
  }

  /** Nothing passes between the two groups any more. */
  cut(one: readonly string[], other: readonly string[]): void {
    this.#cuts.push({ one: new Set(one), other: new Set(other) });
  }

  /** Mends every cut. */
  mend(): void {
    this.#cuts = [];
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.some(({ one, other }) =>
      (one.has(from) && other.has(to)) || (one.has(to) && other.has(from))
    );
  }

  /** How long the bytes take, what was lost sent again; `undefined` when the connection would be dead before they came. */
  delayMs(from: string, to: string, bytes: number): number | undefined {
    const link = this.#links.size > 0
      ? this.#links.get(linkKey(from, to))
      : undefined;
    const latencyMs = this.#draw(link?.latencyMs ?? this.#latency(from, to));
    const lossMs = this.#lossMs(
      link?.lossRate ?? this.#weather.lossRate,
      latencyMs,
      Math.ceil(bytes / PACKET_BYTES),
    );
    if (lossMs > SIM_IDLE_MS) return undefined;
    return this.#queueMs(from, bytes) + latencyMs + lossMs;
  }

  #latency(from: string, to: string): Latency {
    const { latencyMs } = this.#weather;
    return typeof latencyMs === "function" ? latencyMs(from, to) : latencyMs;
  }

  #draw(latency: Latency): number {
    if (typeof latency === "number") return latency;
    const [min, max] = latency;
    return min + (max - min) * this.#chance();
  }

  /** The first loss among many packets, then of the one sent again, each wait twice the last (RFC 9002, 6.2.1). */
  #lossMs(lossRate: number, latencyMs: number, packetCount: number): number {
    if (lossRate <= 0) return 0;
    let lostMs = 0;
    let waitMs = Math.max(2 * latencyMs, RETRANSMIT_MS_MIN);
    let loses = 1 - (1 - lossRate) ** Math.max(1, packetCount);
    while (lostMs <= SIM_IDLE_MS && this.#chance() < loses) {
      lostMs += waitMs;
      waitMs *= 2;
      loses = lossRate;
    }
    return lostMs;
  }

  #queueMs(from: string, bytes: number): number {
    const { bytesPerSecond } = this.#weather;
    if (bytesPerSecond === Infinity) return 0;
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#busyUntilMs.get(from) ?? 0);
    const endMs = startMs + bytes * 1_000 / bytesPerSecond;
    this.#busyUntilMs.set(from, endMs);
    return endMs - nowMs;
  }

  #chance(): number {
    return this.#random.uint32() / 0x1_0000_0000;
  }
}

function linkKey(from: string, to: string): string {
  return `${from}>${to}`;
}
