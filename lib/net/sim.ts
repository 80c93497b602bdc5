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
import { type NatBehaviour, SimNat } from "./sim_nat.ts";
import {
  placeName,
  type SimHop,
  type SimPlace,
  SimRouter,
} from "./sim_router.ts";
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
export {
  NAT_BEHAVIOURS,
  type NatBehaviour,
  type NatDependence,
  type SimNat,
} from "./sim_nat.ts";
export type { SimHop, SimPlace } from "./sim_router.ts";
export { SIM_WINDOW_BYTES } from "./sim_stream.ts";
export type { SimNode } from "./sim_transport.ts";

/** Something that happened on the wire. Nodes are named by their printed addresses, those behind a NAT by `address@nat`. */
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
  readonly #router = new SimRouter<SimTransport>();
  readonly #links: SimLinks;
  readonly #random: SeededRandom;
  readonly #world: SimWorld;

  constructor(options: SimOptions) {
    const { clock, random, trace } = options;
    this.#random = random;
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
    return this.#router.size;
  }

  /**
   * Puts a node on the network. One that crashed or was disposed starts again by asking anew for its address.
   *
   * @throws `inUse` when a node that is up has the address
   */
  transport(node: SimNode): Transport {
    this.#refuseTaken(node);
    return new SimTransport(node, this.#world, this.#router);
  }

  /** Puts a NAT on the network, at an outer address nobody else has; nodes sit behind it that name it. */
  nat(name: string, ip: string, behaviour: NatBehaviour): SimNat {
    const { clock } = this.#world;
    const random = this.#random.fork();
    const nat = new SimNat({ name, ip, behaviour, random }, clock);
    this.#router.addNat(nat);
    return nat;
  }

  /**
   * Takes a node to another place, as a telephone goes from one network to the next: connections it dialled move along with the next
   * packet it sends, those dialled to it do not (RFC 9000, 9). Only on a network with NATs.
   *
   * @throws `missing` when no node is there, `inUse` when one is where it goes
   */
  move(from: SimPlace, to: SimPlace): void {
    const node = this.#router.at(from);
    if (node === undefined) {
      throw new TesserasError(
        "missing",
        `Cannot move ${placeName(from)}: no node is up there`,
      );
    }
    this.#refuseTaken(to);
    node.move(to);
  }

  /**
   * Has packets to an address handed on, as a relay does, until what it returns is disposed. The way takes no longer for it. Only on a
   * network with NATs.
   */
  handOn(address: Address, hop: SimHop): Disposable {
    return this.#router.handOn(address, hop);
  }

  /** Gives the link between two addresses a weather of its own, both ways, from the next message on. */
  setLink(one: Address, other: Address, weather: LinkWeather): void {
    this.#links.set(formatAddress(one), formatAddress(other), weather);
  }

  /** Lets nothing pass between two groups. What is under way waits for {@link heal}; connections across die after 30 s without it. */
  partition(one: readonly Address[], other: readonly Address[]): void {
    this.#links.cut(one.map(formatAddress), other.map(formatAddress));
    for (const node of this.#router.guests()) {
      for (const connection of node.connections) connection.suffer();
    }
  }

  /** Mends every partition. */
  heal(): void {
    this.#links.mend();
    for (const node of this.#router.guests()) {
      for (const connection of node.connections) connection.resume();
    }
  }

  /** Ends the node at an address without a word, as a power cut does. Its own calls fail at once; its peers notice after 30 s. */
  crash(address: Address, nat?: SimNat): void {
    this.#router.at({ address, nat })?.crash();
  }

  #refuseTaken(place: SimPlace): void {
    if (this.#router.at(place) === undefined) return;
    throw new TesserasError(
      "inUse",
      `Cannot listen on ${placeName(place)}: a node is up there`,
    );
  }
}
