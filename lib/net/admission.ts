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
  /** Open inbound connections by network; an entry goes when its last connection does. */
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
    // First, so that one address cannot use up what all share.
    if (
      !this.#isExempt(remote) &&
      !this.#handshakesFrom.of(hostNetworkOf(remote.ip)).take()
    ) {
      this.#counters.add("admission.address_handshake_rate");
      return false;
    }
    if (this.#handshakes.take()) return true;
    this.#counters.add("admission.handshake_rate");
    return false;
  };

  /** A place for a connection whose address is proven, or `undefined` when a cap is reached. Dispose it when the connection ends. */
  enter(remote: Address): Disposable | undefined {
    if (!this.#hasRoom(remote)) return undefined;
    const network = hostNetworkOf(remote.ip);
    this.#openCount++;
    this.#openByNetwork.set(network, this.#openFrom(network) + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#leave(network);
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
    if (!mine.has()) {
      this.#counters.add("admission.request_rate");
      return false;
    }
    if (
      !this.#isExempt(remote) &&
      !this.#requestsFrom.of(hostNetworkOf(remote.ip)).take()
    ) {
      this.#counters.add("admission.address_request_rate");
      return false;
    }
    mine.charge(1);
    return true;
  }

  #work(id: NodeId, remote: Address, units: number): boolean {
    // Whoever never asks for any takes no place in the tables.
    if (units === 0) return true;
    const mine = this.#workOf.of(keyOf(id));
    if (!mine.has(units)) {
      this.#counters.add("admission.work_rate");
      return false;
    }
    if (
      !this.#isExempt(remote) &&
      !this.#workFrom.of(subnetOf(remote.ip)).take(units)
    ) {
      this.#counters.add("admission.subnet_work_rate");
      return false;
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

  #isExempt({ ip }: Address): boolean {
    return this.#limits.exemptPrivateIps && isPrivateIp(ip);
  }

  #hasRoom(remote: Address): boolean {
    const { connectionsMax, connectionsPerIpMax } = this.#limits;
    if (this.#openCount >= connectionsMax) {
      this.#counters.add("admission.connections_full");
      return false;
    }
    const open = this.#openFrom(hostNetworkOf(remote.ip));
    if (this.#isExempt(remote) || open < connectionsPerIpMax) return true;
    this.#counters.add("admission.address_full");
    return false;
  }

  #openFrom(network: string): number {
    return this.#openByNetwork.get(network) ?? 0;
  }

  #leave(network: string): void {
    this.#openCount--;
    const left = this.#openFrom(network) - 1;
    if (left === 0) this.#openByNetwork.delete(network);
    else this.#openByNetwork.set(network, left);
  }
}

function rateOf(perSecond: number, burstSeconds: number): Rate {
  return { perSecond, burst: Math.max(1, perSecond * burstSeconds) };
}
