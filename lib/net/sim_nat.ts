/**
 * A NAT of the simulated network: which outer port a flow gets, which packets come in, and what is forgotten when. It tracks flows
 * as the Linux kernel does; its kinds are those of RFC 4787 (4.1 mapping, 5 filtering, 6 hairpinning).
 */
import {
  type Address,
  assert,
  formatAddress,
  type SeededRandom,
  type VirtualClock,
} from "@tesseras/core";

/** On what a mapping, or a filter, depends: on nothing, on the other's IP address, or on its port as well. */
export type NatDependence = "endpoint" | "address" | "addressPort";

/** How a NAT behaves. */
export type NatBehaviour = {
  /** What must be the same for a packet to leave from the same outer port. */
  readonly mapping: NatDependence;
  /** What must have been sent to before a packet from there comes in. */
  readonly filtering: NatDependence;
  /** What becomes of the others: nothing, or the router takes them for a flow of its own, which then holds their port ("open" routers). */
  readonly uninvited: "drop" | "hold";
  /** Whether a packet from inside to the outer address comes back in. */
  readonly hairpin: boolean;
  /** Whether a flow keeps its port where it can. */
  readonly preservesPort: boolean;
  /** After so long without a packet a flow is forgotten. */
  readonly timeoutMs: number;
};

const CONE: NatBehaviour = {
  mapping: "endpoint",
  filtering: "addressPort",
  uninvited: "drop",
  hairpin: false,
  preservesPort: true,
  // nf_conntrack_udp_timeout.
  timeoutMs: 30_000,
};

/** The routers of the lab. */
export const NAT_BEHAVIOURS = {
  /** One port for everybody, open to everybody. */
  fullCone: { ...CONE, filtering: "endpoint" },
  /** One port for everybody, open to addresses that were sent to. */
  restrictedCone: { ...CONE, filtering: "address" },
  /** One port for everybody, open to ports that were sent to: most routers at home. A router that refuses the others aloud is the same to QUIC. */
  cone: CONE,
  /** The same, with a memory for what came uninvited. */
  open: { ...CONE, uninvited: "hold" },
  /** A port for each peer. */
  symmetric: { ...CONE, mapping: "addressPort", preservesPort: false },
  /** A port for each peer, each open to everybody. */
  symmetricFull: {
    ...CONE,
    mapping: "addressPort",
    filtering: "endpoint",
    preservesPort: false,
  },
} as const satisfies Readonly<Record<string, NatBehaviour>>;

/** One line of the table: packets between an inner and an outer address pass through this port. */
type Flow = {
  /** `undefined` for what came uninvited and belongs to nobody inside. */
  readonly inner: Address | undefined;
  readonly remote: Address;
  readonly port: number;
  activeMs: number;
};

/** Ports a NAT gives away: the dynamic ones (RFC 6335, 6). */
const PORT_MIN = 49_152;
const PORT_COUNT = 16_384;
/** Flows a router remembers, dead ones too until then: far more than any simulation has, and ports enough for all. */
const FLOWS_MAX = 4_096;

/** One router. Addresses inside are its own business: those behind another may be the same. */
export class SimNat {
  readonly name: string;
  readonly #behaviour: NatBehaviour;
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  /** By port and remote, which is what a packet from outside shows. */
  readonly #byOuter = new Map<string, Flow>();
  /** By inner and remote, which is what a packet from inside shows. */
  readonly #byInner = new Map<string, Flow>();
  #ip: string;

  constructor(
    options: {
      readonly name: string;
      readonly ip: string;
      readonly behaviour: NatBehaviour;
      readonly random: SeededRandom;
    },
    clock: VirtualClock,
  ) {
    this.name = options.name;
    this.#ip = options.ip;
    this.#behaviour = options.behaviour;
    this.#random = options.random;
    this.#clock = clock;
  }

  /** The outer address. */
  get ip(): string {
    return this.#ip;
  }

  get hairpins(): boolean {
    return this.#behaviour.hairpin;
  }

  /** A packet leaves: where it comes from, as others see it. Opens a flow, or keeps one open. */
  leave(inner: Address, remote: Address): Address {
    const known = this.#live(this.#byInner.get(pairKey(inner, remote)));
    const flow = known ?? {
      inner,
      remote,
      port: this.#portFor(inner, remote),
      activeMs: 0,
    };
    this.#touch(flow);
    return { ip: this.#ip, port: flow.port };
  }

  /** A packet comes to an outer port: whom it is for, or `undefined` when it is let in to nobody. */
  enter(port: number, remote: Address): Address | undefined {
    const flow = this.#live(this.#byOuter.get(portKey(port, remote)));
    if (flow !== undefined) {
      this.#touch(flow);
      return flow.inner;
    }
    const inner = this.#invited(port, remote);
    if (inner !== undefined || this.#behaviour.uninvited === "hold") {
      this.#touch({ inner, remote, port, activeMs: 0 });
    }
    return inner;
  }

  /** Forgets every flow, as a restart or a new lease does, and may get another outer address. */
  rebind(ip = this.#ip): void {
    this.#ip = ip;
    this.#byOuter.clear();
    this.#byInner.clear();
  }

  /** Whether somebody inside may be sent this without having sent to exactly there. */
  #invited(port: number, remote: Address): Address | undefined {
    const { filtering } = this.#behaviour;
    if (filtering === "addressPort") return undefined;
    for (const flow of this.#byOuter.values()) {
      if (flow.port !== port || this.#live(flow) === undefined) continue;
      if (filtering === "endpoint" || flow.remote.ip === remote.ip) {
        if (flow.inner !== undefined) return flow.inner;
      }
    }
    return undefined;
  }

  /** The port of the mapping that a new flow belongs to, as far as nobody else's flow with the same remote is in its way. */
  #portFor(inner: Address, remote: Address): number {
    const { mapping, preservesPort } = this.#behaviour;
    const mapped = this.#mappedPort(inner, remote, mapping);
    const wanted = mapped ?? (preservesPort ? inner.port : this.#draw());
    const isFree = (port: number): boolean =>
      this.#live(this.#byOuter.get(portKey(port, remote))) === undefined &&
      (port === mapped || !this.#isTaken(port, inner));
    let port = wanted;
    while (!isFree(port)) port = this.#draw();
    return port;
  }

  #mappedPort(
    inner: Address,
    remote: Address,
    mapping: NatDependence,
  ): number | undefined {
    if (mapping === "addressPort") return undefined;
    for (const flow of this.#byInner.values()) {
      if (flow.inner === undefined || this.#live(flow) === undefined) continue;
      if (formatAddress(flow.inner) !== formatAddress(inner)) continue;
      if (mapping === "endpoint" || flow.remote.ip === remote.ip) {
        return flow.port;
      }
    }
    return undefined;
  }

  /** Whether a port belongs to another inner address, or with ports for each peer to another flow. */
  #isTaken(port: number, inner: Address): boolean {
    const mine = formatAddress(inner);
    for (const flow of this.#byInner.values()) {
      if (flow.port !== port || this.#live(flow) === undefined) continue;
      if (this.#behaviour.mapping !== "endpoint") return true;
      if (flow.inner !== undefined && formatAddress(flow.inner) !== mine) {
        return true;
      }
    }
    return false;
  }

  #draw(): number {
    return PORT_MIN + this.#random.below(PORT_COUNT);
  }

  #live(flow: Flow | undefined): Flow | undefined {
    if (flow === undefined) return undefined;
    const idleMs = this.#clock.monotonicMs() - flow.activeMs;
    return idleMs < this.#behaviour.timeoutMs ? flow : undefined;
  }

  #touch(flow: Flow): void {
    if (this.#byOuter.size >= FLOWS_MAX) this.#sweep();
    flow.activeMs = this.#clock.monotonicMs();
    this.#byOuter.set(portKey(flow.port, flow.remote), flow);
    if (flow.inner === undefined) return;
    this.#byInner.set(pairKey(flow.inner, flow.remote), flow);
  }

  #sweep(): void {
    for (const flows of [this.#byOuter, this.#byInner]) {
      for (const [key, flow] of flows) {
        if (this.#live(flow) === undefined) flows.delete(key);
      }
    }
    assert(
      this.#byOuter.size < FLOWS_MAX,
      "a simulated NAT has flows to spare",
    );
  }
}

function portKey(port: number, remote: Address): string {
  return `${port}<${formatAddress(remote)}`;
}

function pairKey(inner: Address, remote: Address): string {
  return `${formatAddress(inner)}>${formatAddress(remote)}`;
}
