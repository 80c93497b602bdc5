/**
 * A network in one process, for whole systems under a virtual clock: latency, loss, partitions and crashes from one seed. The
 * same seed and the same calls give the same trace.
 *
 * @module
 */
import {
  type Address,
  formatAddress,
  type SeededRandom,
  TesserasError,
  type VirtualClock,
} from "@tesseras/core";
import type { SimEventKind, SimWorld } from "./sim_connection.ts";
import { SimLinks } from "./sim_links.ts";
import type { LinkWeather, Weather } from "./sim_links.ts";
import { type SimNode, SimTransport } from "./sim_transport.ts";
import type { Transport } from "./transport.ts";

export type { SimEventKind } from "./sim_connection.ts";
export {
  type Latency,
  type LinkWeather,
  SIM_IDLE_MS,
  SimLinks,
  type Weather,
} from "./sim_links.ts";
export { SIM_WINDOW_BYTES } from "./sim_stream.ts";
export type { SimNode } from "./sim_transport.ts";

/** Something that happened on the wire. Nodes are named by their printed addresses. */
export type SimEvent = {
  /** Virtual milliseconds since the clock began. */
  readonly atMs: number;
  readonly what: SimEventKind;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
};

/** What a network is made from. */
export type SimOptions = Partial<Weather> & {
  readonly clock: VirtualClock;
  /** The network's own source: what it draws depends on its traffic alone. */
  readonly random: SeededRandom;
  /** Told of every event, in order. */
  readonly trace?: (event: SimEvent) => void;
};

/** A good day: one steady latency, no loss, no queues. */
export const SIM_DEFAULTS: Weather = {
  latencyMs: 20,
  lossRate: 0,
  bytesPerSecond: Infinity,
};

/** Nodes at addresses and the links between them. */
export class SimNetwork {
  readonly #nodes = new Map<string, SimTransport>();
  readonly #links: SimLinks;
  readonly #world: SimWorld;

  constructor(options: SimOptions) {
    const { clock, random, trace } = options;
    this.#links = new SimLinks(clock, random, {
      latencyMs: options.latencyMs ?? SIM_DEFAULTS.latencyMs,
      lossRate: options.lossRate ?? SIM_DEFAULTS.lossRate,
      bytesPerSecond: options.bytesPerSecond ?? SIM_DEFAULTS.bytesPerSecond,
    });
    this.#world = {
      clock,
      links: this.#links,
      trace: trace === undefined
        ? () => {}
        : (what, from, to, bytes) =>
          trace({ atMs: clock.monotonicMs(), what, from, to, bytes }),
    };
  }

  /** How many nodes are up. */
  get nodeCount(): number {
    return this.#nodes.size;
  }

  /**
   * Puts a node on the network. One that crashed or was disposed starts again by asking anew for its address.
   *
   * @throws `inUse` when a node that is up has the address
   */
  transport(node: SimNode): Transport {
    if (this.#nodes.has(formatAddress(node.address))) {
      throw new TesserasError(
        "inUse",
        `Cannot listen on ${formatAddress(node.address)}: a node is up there`,
      );
    }
    return new SimTransport(node, this.#world, this.#nodes);
  }

  /** Gives the link between two addresses a weather of its own, both ways, from the next message on. */
  setLink(one: Address, other: Address, weather: LinkWeather): void {
    this.#links.set(formatAddress(one), formatAddress(other), weather);
  }

  /** Lets nothing pass between two groups. What is under way waits for {@link heal}; connections across die after 30 s without it. */
  partition(one: readonly Address[], other: readonly Address[]): void {
    this.#links.cut(one.map(formatAddress), other.map(formatAddress));
    for (const node of this.#nodes.values()) {
      for (const connection of node.connections) connection.suffer();
    }
  }

  /** Mends every partition. */
  heal(): void {
    this.#links.mend();
    for (const node of this.#nodes.values()) {
      for (const connection of node.connections) connection.resume();
    }
  }

  /** Ends the node at an address without a word, as a power cut does. Its own calls fail at once; its peers notice after 30 s. */
  crash(address: Address): void {
    this.#nodes.get(formatAddress(address))?.crash();
  }
}
