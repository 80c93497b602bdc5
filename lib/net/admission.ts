/**
 * Who may come in, and how much they may ask, decided before anything is spent on them: token buckets over all handshakes and
 * those of each address, caps on connections in all and per address, then rates of requests and of work. No waiting, no
 * packets; time comes from the injected clock.
 *
 * Requests are never passed on, so the identity that proved itself in the hello is the signed originator of whatever arrives on
 * its connection, and the budget of work is its own. Identities cost little, so those of one subnet share a second budget.
 */
import {
  type Address,
  type CounterName,
  type Counters,
  hostNetworkOf,
  isPrivateIp,
  keyOf,
  type NodeId,
  type Runtime,
  subnetOf,
} from "@tesseras/core";
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_IP_MAX,
  CONNECTIONS_PER_SUBNET_MAX,
  HANDSHAKES_PER_ADDRESS_PER_SECOND,
  HANDSHAKES_PER_SECOND,
  IDENTITIES_METERED_MAX,
  REQUESTS_PER_ADDRESS_PER_SECOND,
  REQUESTS_PER_SECOND,
  WORK_BURST_SECONDS,
  WORK_PER_SECOND,
  WORK_PER_SUBNET_PER_SECOND,
} from "@tesseras/core/limits";
import { type Rate, TokenBucket, TokenBuckets } from "./token_bucket.ts";

/** How much a node lets in. */
export type AdmissionLimits = {
  /** Inbound connections in all. */
  readonly connectionsMax: number;
  /** Inbound connections from one IPv4 address or IPv6 /64. */
  readonly connectionsPerIpMax: number;
  /** Inbound connections from one IPv4 /24 or IPv6 /48. */
  readonly connectionsPerSubnetMax: number;
  /** New inbound connections a second; ten times as many may come at once. */
  readonly handshakesPerSecond: number;
  /** As {@link handshakesPerSecond}, from one IPv4 address or IPv6 /64. */
  readonly addressHandshakesPerSecond: number;
  /** Requests a second of one identity; four times as many may come at once. */
  readonly requestsPerSecond: number;
  /** As {@link requestsPerSecond}, from one IPv4 address or IPv6 /64. */
  readonly addressRequestsPerSecond: number;
  /** Work a second for one identity; fifty times as much may be asked for at once. */
  readonly workPerSecond: number;
  /** As {@link workPerSecond}, for all identities of one IPv4 /24 or IPv6 /48. */
  readonly subnetWorkPerSecond: number;
  /** Identities whose rates are remembered, and as many addresses and subnets; the one unheard for longest is forgotten first. */
  readonly identitiesMax: number;
  /** Whether loopback and private addresses escape the limits per address and subnet, as a local cluster needs. Never guessed. */
  readonly exemptPrivateIps: boolean;
};

/** The limits of a node in the public network. */
export const ADMISSION_DEFAULTS: AdmissionLimits = {
  connectionsMax: CONNECTIONS_MAX,
  connectionsPerIpMax: CONNECTIONS_PER_IP_MAX,
  connectionsPerSubnetMax: CONNECTIONS_PER_SUBNET_MAX,
  handshakesPerSecond: HANDSHAKES_PER_SECOND,
  addressHandshakesPerSecond: HANDSHAKES_PER_ADDRESS_PER_SECOND,
  requestsPerSecond: REQUESTS_PER_SECOND,
  addressRequestsPerSecond: REQUESTS_PER_ADDRESS_PER_SECOND,
  workPerSecond: WORK_PER_SECOND,
  subnetWorkPerSecond: WORK_PER_SUBNET_PER_SECOND,
  identitiesMax: IDENTITIES_METERED_MAX,
  exemptPrivateIps: false,
};

/** Bursts a bucket lets through, in seconds of its rate: a restarted neighbourhood comes back all at once. */
const HANDSHAKE_BURST_SECONDS = 10;
/** As above, for requests: a repair asks for many plans in a row. */
const REQUEST_BURST_SECONDS = 4;

/** What one peer may still ask, looked up anew at each question. */
export type Meter = {
  /** Whether it may make one more request now. Pays for it. */
  readonly request: () => boolean;
  /** Whether it may ask for so much work now. Pays for it. */
  readonly work: (units: number) => boolean;
  /** Pays for the size of an answer it was given. */
  readonly answered: (cost: number) => void;
};

/** The gate of one node. One object serves its transport (as `admit`) and its sessions. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #counters: Counters;
  readonly #handshakes: TokenBucket;
  readonly #handshakesFrom: TokenBuckets;
  readonly #requestsOf: TokenBuckets;
  readonly #requestsFrom: TokenBuckets;
  readonly #workOf: TokenBuckets;
  readonly #workFrom: TokenBuckets;
  /** Open inbound connections by address and by subnet, whose texts differ; an entry goes when its last connection does. */
  readonly #openByNetwork = new Map<string, number>();
  #openCount = 0;

  constructor(
    limits: Partial<AdmissionLimits>,
    { clock, counters }: Pick<Runtime, "clock" | "counters">,
  ) {
    const all = { ...ADMISSION_DEFAULTS, ...limits };
    const buckets = (perSecond: number, burstSeconds: number): TokenBuckets =>
      new TokenBuckets({
        ...rateOf(perSecond, burstSeconds),
        countMax: all.identitiesMax,
      }, clock);
    this.#limits = all;
    this.#counters = counters;
    this.#handshakes = new TokenBucket(
      rateOf(all.handshakesPerSecond, HANDSHAKE_BURST_SECONDS),
      clock,
    );
    this.#handshakesFrom = buckets(
      all.addressHandshakesPerSecond,
      HANDSHAKE_BURST_SECONDS,
    );
    this.#requestsOf = buckets(all.requestsPerSecond, REQUEST_BURST_SECONDS);
    this.#requestsFrom = buckets(
      all.addressRequestsPerSecond,
      REQUEST_BURST_SECONDS,
    );
    this.#workOf = buckets(all.workPerSecond, WORK_BURST_SECONDS);
    this.#workFrom = buckets(all.subnetWorkPerSecond, WORK_BURST_SECONDS);
  }

  /** Inbound connections that hold a place now. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Identities whose request rate is remembered now. */
  get meteredCount(): number {
    return this.#requestsOf.size;
  }

  /** Rates remembered now, of every kind together: at most five times `identitiesMax`. */
  get bucketCount(): number {
    return this.#handshakesFrom.size + this.#requestsOf.size +
      this.#requestsFrom.size + this.#workOf.size + this.#workFrom.size;
  }

  /**
   * Asked by the transport before each handshake; `false` drops the packet. Looks at the caps without taking a place:
   * the address may be forged, and a forged one must not fill a table.
   */
  readonly admit = (remote: Address): boolean => {
    if (!this.#hasRoom(remote)) return false;
    const mine = this.#isExempt(remote)
      ? undefined
      : this.#handshakesFrom.of(hostNetworkOf(remote.ip));
    // First, so that one address cannot use up what all share.
    if (mine?.has() === false) {
      return this.#refuse("admission.address_handshake_rate");
    }
    if (!this.#handshakes.take()) {
      return this.#refuse("admission.handshake_rate");
    }
    mine?.charge(1);
    return true;
  };

  /** A place for a connection whose address is proven, or `undefined` when a cap is reached. Dispose it when the connection ends. */
  enter(remote: Address): Disposable | undefined {
    if (!this.#hasRoom(remote)) return undefined;
    const networks = [hostNetworkOf(remote.ip), subnetOf(remote.ip)];
    this.#count(networks, 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#count(networks, -1);
      },
    };
  }

  /** What a peer may ask over a session. `remote` is asked each time, because a connection moves when a NAT does. */
  meter(id: NodeId, remote: () => Address): Meter {
    return {
      request: () => this.#request(id, remote()),
      work: (units) => this.#work(id, remote(), units),
      answered: (cost) => this.#answered(id, remote(), cost),
    };
  }

  #request(id: NodeId, remote: Address): boolean {
    const mine = this.#requestsOf.of(keyOf(id));
    if (!mine.has()) return this.#refuse("admission.request_rate");
    if (
      !this.#isExempt(remote) &&
      !this.#requestsFrom.of(hostNetworkOf(remote.ip)).take()
    ) {
      return this.#refuse("admission.address_request_rate");
    }
    mine.charge(1);
    return true;
  }

  #work(id: NodeId, remote: Address, units: number): boolean {
    // Whoever never asks for any takes no place in the tables.
    if (units === 0) return true;
    const mine = this.#workOf.of(keyOf(id));
    if (!mine.has(units)) return this.#refuse("admission.work_rate");
    if (
      !this.#isExempt(remote) &&
      !this.#workFrom.of(subnetOf(remote.ip)).take(units)
    ) {
      return this.#refuse("admission.subnet_work_rate");
    }
    mine.charge(units);
    return true;
  }

  #answered(id: NodeId, remote: Address, cost: number): void {
    if (cost === 0) return;
    this.#requestsOf.of(keyOf(id)).charge(cost);
    if (this.#isExempt(remote)) return;
    this.#requestsFrom.of(hostNetworkOf(remote.ip)).charge(cost);
  }

  #refuse(name: CounterName): false {
    this.#counters.add(name);
    return false;
  }

  #isExempt({ ip }: Address): boolean {
    return this.#limits.exemptPrivateIps && isPrivateIp(ip);
  }

  #hasRoom(remote: Address): boolean {
    const { connectionsMax, connectionsPerIpMax, connectionsPerSubnetMax } =
      this.#limits;
    if (this.#openCount >= connectionsMax) {
      return this.#refuse("admission.connections_full");
    }
    if (this.#isExempt(remote)) return true;
    if (this.#openFrom(hostNetworkOf(remote.ip)) >= connectionsPerIpMax) {
      return this.#refuse("admission.address_full");
    }
    if (this.#openFrom(subnetOf(remote.ip)) >= connectionsPerSubnetMax) {
      return this.#refuse("admission.subnet_full");
    }
    return true;
  }

  #openFrom(network: string): number {
    return this.#openByNetwork.get(network) ?? 0;
  }

  /** Notes that a connection from these networks begins (1) or has ended (-1). */
  #count(networks: readonly string[], change: 1 | -1): void {
    this.#openCount += change;
    for (const network of networks) {
      const open = this.#openFrom(network) + change;
      if (open === 0) this.#openByNetwork.delete(network);
      else this.#openByNetwork.set(network, open);
    }
  }
}

function rateOf(perSecond: number, burstSeconds: number): Rate {
  return { perSecond, burst: Math.max(1, perSecond * burstSeconds) };
}
