/**
 * Who may come in, decided before anything is spent on them: a token bucket over all handshakes, caps on connections in all
 * and per address, and a request rate per identity. No waiting, no packets; time comes from the injected clock.
 */
import {
  type Address,
  assert,
  type Clock,
  hostNetworkOf,
  isPrivateIp,
  keyOf,
  type NodeId,
  type Runtime,
} from "@tesseras/core";
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_IP_MAX,
  HANDSHAKES_PER_SECOND,
  IDENTITIES_METERED_MAX,
  REQUESTS_PER_SECOND,
} from "@tesseras/core/limits";
import { count } from "./counters.ts";

/** How much a node lets in. */
export type AdmissionLimits = {
  /** Inbound connections in all. */
  readonly connectionsMax: number;
  /** Inbound connections from one IPv4 address or IPv6 /64. */
  readonly connectionsPerIpMax: number;
  /** New inbound connections a second; ten times as many may come at once. */
  readonly handshakesPerSecond: number;
  /** Requests a second of one identity; four times as many may come at once. */
  readonly requestsPerSecond: number;
  /** Identities whose request rate is remembered; the one unheard for longest is forgotten first. */
  readonly identitiesMax: number;
  /** Whether loopback and private addresses escape the cap per address, as a local cluster needs. Never guessed. */
  readonly exemptPrivateIps: boolean;
};

/** The limits of a node in the public network. */
export const ADMISSION_DEFAULTS: AdmissionLimits = {
  connectionsMax: CONNECTIONS_MAX,
  connectionsPerIpMax: CONNECTIONS_PER_IP_MAX,
  handshakesPerSecond: HANDSHAKES_PER_SECOND,
  requestsPerSecond: REQUESTS_PER_SECOND,
  identitiesMax: IDENTITIES_METERED_MAX,
  exemptPrivateIps: false,
};

/** Bursts a bucket lets through, in seconds of its rate: a restarted neighbourhood comes back all at once. */
const HANDSHAKE_BURST_SECONDS = 10;
/** As above, for one identity: a repair asks for many plans in a row. */
const REQUEST_BURST_SECONDS = 4;

/** Lets `perSecond` through on average and at most `burst` at once. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #countedMs: number;

  /** Starts full. */
  constructor(
    rate: { readonly perSecond: number; readonly burst: number },
    clock: Clock,
  ) {
    assert(
      rate.perSecond > 0 && rate.burst >= 1,
      "a bucket lets something through",
    );
    this.#perSecond = rate.perSecond;
    this.#burst = rate.burst;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#countedMs = clock.monotonicMs();
  }

  /** Takes one token; `false` when there is none. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = (nowMs - this.#countedMs) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#countedMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** The gate of one node. One object serves its transport (as `admit`) and its sessions. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #runtime: Runtime;
  readonly #handshakes: TokenBucket;
  /** Open inbound connections by network; an entry goes when its last connection does. */
  readonly #openByNetwork = new Map<string, number>();
  /** Oldest use first, because a `Map` keeps the order of insertion. */
  readonly #requests = new Map<string, TokenBucket>();
  #openCount = 0;

  constructor(limits: Partial<AdmissionLimits>, runtime: Runtime) {
    this.#limits = { ...ADMISSION_DEFAULTS, ...limits };
    this.#runtime = runtime;
    this.#handshakes = new TokenBucket({
      perSecond: this.#limits.handshakesPerSecond,
      burst: this.#limits.handshakesPerSecond * HANDSHAKE_BURST_SECONDS,
    }, runtime.clock);
  }

  /** Inbound connections that hold a place now. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Identities whose request rate is remembered now. */
  get meteredCount(): number {
    return this.#requests.size;
  }

  /**
   * Asked by the transport before each handshake; `false` drops the packet. Looks at the caps without taking a place:
   * the address may be forged, and a forged one must not fill a table.
   */
  readonly admit = (remote: Address): boolean => {
    if (!this.#hasRoom(remote)) return false;
    if (this.#handshakes.take()) return true;
    count(this.#runtime.counters, "admission.handshake_rate");
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

  /** Whether this identity may make one more request now. */
  request(id: NodeId): boolean {
    const key = keyOf(id);
    const bucket = this.#requests.get(key) ?? new TokenBucket({
      perSecond: this.#limits.requestsPerSecond,
      burst: this.#limits.requestsPerSecond * REQUEST_BURST_SECONDS,
    }, this.#runtime.clock);
    this.#requests.delete(key);
    this.#requests.set(key, bucket);
    if (this.#requests.size > this.#limits.identitiesMax) {
      const [oldest] = this.#requests.keys();
      this.#requests.delete(oldest!);
    }
    if (bucket.take()) return true;
    count(this.#runtime.counters, "admission.request_rate");
    return false;
  }

  #hasRoom(remote: Address): boolean {
    const { connectionsMax, connectionsPerIpMax } = this.#limits;
    if (this.#openCount >= connectionsMax) {
      count(this.#runtime.counters, "admission.connections_full");
      return false;
    }
    const exempt = this.#limits.exemptPrivateIps && isPrivateIp(remote.ip);
    const open = this.#openFrom(hostNetworkOf(remote.ip));
    if (exempt || open < connectionsPerIpMax) return true;
    count(this.#runtime.counters, "admission.address_full");
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
