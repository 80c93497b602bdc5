/** A network of up to ten thousand real nodes in one process, on a network of messages under a virtual clock. */
import {
  type Address,
  codeOf,
  Counters,
  type NodeId,
  type Runtime,
  SeededRandom,
  shuffled,
  silentLog,
  VirtualClock,
} from "@tesseras/core";
import { BUCKET_REFRESH_MS, POW_BITS_MIN } from "@tesseras/core/limits";
import { mintNode, type NodeSigner } from "@tesseras/crypto";
import { closer } from "@tesseras/kad";
import { Admission } from "@tesseras/net";
import {
  type Entry,
  join,
  Node,
  type NodeTraits,
  refreshForever,
} from "@tesseras/node";
import { dhtRole } from "@tesseras/roles";
import { MemoryState, type State } from "@tesseras/state";
import { Earth } from "./earth.ts";
import type { Host } from "./host.ts";
import { MessageNet } from "./message_net.ts";
import { SharedRecords } from "./shared_records.ts";
import { Trace } from "./trace.ts";

/** Never aborts. */
export const never = new AbortController().signal;

/** One node with what it keeps. */
export type Citizen = {
  readonly node: Node;
  readonly host: Host;
  readonly admission: Admission;
  readonly state: State;
  readonly runtime: Runtime;
};

/** What a city is made from. */
export type CityOptions = {
  readonly seed: number;
  /** The share of packets that get lost; a hundredth by default. */
  readonly lossRate?: number;
  /** What every node is given beside what it gets by itself. */
  readonly traits?: Partial<NodeTraits>;
  /** Whether nodes look round in quiet buckets every hour, as real ones do. */
  readonly refreshes?: boolean;
  /** Told of every message as a line, for people. */
  readonly write?: ((line: string) => void) | undefined;
  /** Told of the city when it is founded, for people who want to look at it from time to time. */
  readonly watch?: ((city: City) => void) | undefined;
};

/** What a node may be given instead of what it gets by itself. */
export type SettleOptions = {
  readonly identity?: NodeSigner;
  readonly host?: Pick<Host, "address" | "nat">;
  readonly state?: State;
  readonly traits?: Partial<NodeTraits>;
};

/** Nodes that join in one second while a city grows. */
const JOINS_PER_SECOND = 50;
/** The first join one by one, or they would only know each other in pairs. */
const FOUNDERS = 20;
/** Entries a newcomer tries, as a bootstrap node would name them. */
const ENTRIES = 3;
/** Rates a node remembers: fewer than a real one's 4,096, because ten thousand nodes share one memory. */
export const IDENTITIES_METERED = 128;

/** A seeded network of nodes that come and go. */
export class City implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly earth: Earth;
  readonly net: MessageNet;
  readonly trace: Trace;
  readonly records = new SharedRecords();
  readonly #options: CityOptions;
  readonly #living = new Set<Citizen>();
  /** Those of the living whose join is over. */
  readonly #joined = new Set<Citizen>();
  readonly #ends: Promise<void>[] = [];
  #addressCount = 0;
  /** What goes on here, in a few words, for people who wait for it to be over. */
  doing = "";

  constructor(options: CityOptions) {
    this.#options = options;
    this.trace = new Trace(options.write);
    this.random = new SeededRandom(options.seed);
    this.earth = new Earth(this.random.fork());
    this.net = new MessageNet({
      clock: this.clock,
      random: this.random.fork(),
      latencyMs: this.earth.latencyMs,
      lossRate: options.lossRate ?? 0.01,
      trace: this.trace,
    });
    options.watch?.(this);
  }

  /** Nodes that are up, in order of their coming. */
  get living(): readonly Citizen[] {
    return [...this.#living];
  }

  /** How many nodes are up. */
  get size(): number {
    return this.#living.size;
  }

  /** Nodes that are up, have joined, and can be reached: those a lookup should find. */
  *known(): Generator<Citizen> {
    for (const one of this.#joined) if (one.host.nat === "public") yield one;
  }

  isLiving(citizen: Citizen): boolean {
    return this.#living.has(citizen);
  }

  /** One of the living, drawn. */
  one(): Citizen {
    const living = this.living;
    return living[this.random.below(living.length)]!;
  }

  /** An identity drawn from the city's seed, its work done. */
  identity(): Promise<NodeSigner> {
    return mintNode(
      this.random.bytes(32),
      { powBits: POW_BITS_MIN, clock: this.clock },
      never,
    );
  }

  /** A /24 nobody has. */
  address(): Address {
    const number = ++this.#addressCount;
    return { ip: `11.${number >> 8}.${number & 255}.7`, port: 4433 };
  }

  /** Starts a node; it has not joined yet. */
  async settle(options: SettleOptions = {}): Promise<Citizen> {
    const runtime: Runtime = {
      clock: this.clock,
      random: this.random.fork(),
      log: silentLog,
      counters: new Counters(),
    };
    const identity = options.identity ?? await this.identity();
    const { address, nat } = options.host ??
      { address: this.address(), nat: "public" };
    const limits = { identitiesMax: IDENTITIES_METERED };
    const admission = new Admission(limits, runtime);
    const host = { address, nat, admission };
    const state = options.state ?? new MemoryState();
    const node = Node.open(
      {
        identity,
        openPeerNet: this.net.open(host),
        addresses: [address],
        powBits: POW_BITS_MIN,
        records: this.records,
        ...this.#options.traits,
        ...options.traits,
      },
      (made) => [dhtRole(made, { state })],
      runtime,
    );
    const citizen = { node, host, admission, state, runtime };
    this.#living.add(citizen);
    if (this.#options.refreshes === true) {
      node.spawn((signal) => refreshForever(node, BUCKET_REFRESH_MS, signal));
    }
    return citizen;
  }

  /** Addresses of some who are up and can be reached. */
  entries(newcomer?: Citizen): Address[] {
    const reachable = this.living.filter((one) =>
      one !== newcomer && one.host.nat === "public"
    );
    const count = Math.min(ENTRIES, reachable.length);
    const drawn = new Set<Citizen>();
    while (drawn.size < count) {
      drawn.add(reachable[this.random.below(reachable.length)]!);
    }
    return [...drawn].map(({ host }) => host.address);
  }

  /** Starts nodes that join, the founders one by one, the others many a second, and waits until all are in. */
  async grow(count: number, options: SettleOptions = {}): Promise<Citizen[]> {
    const grown: Citizen[] = [];
    const joins: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) {
      this.doing = `${i} of ${count} have come`;
      const one = await this.settle(options);
      grown.push(one);
      const joining = this.join(one, this.entries(one));
      if (this.size <= FOUNDERS) await this.run(joining);
      else {
        joins.push(joining);
        await this.clock.advance(1_000 / JOINS_PER_SECOND);
      }
    }
    await this.run(Promise.all(joins));
    return grown;
  }

  /** Lets a node join through entries. Resolves to whether any answered. */
  async join(one: Citizen, entries: readonly Entry[]): Promise<boolean> {
    try {
      await join(one.node, entries, never);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
    if (this.isLiving(one)) this.#joined.add(one);
    return true;
  }

  /** Moves time until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  /** A node dies without a word. */
  crash(citizen: Citizen): void {
    if (!this.#living.delete(citizen)) return;
    this.#joined.delete(citizen);
    this.net.crash(citizen.host.address);
    this.#ends.push(citizen.node[Symbol.asyncDispose]());
  }

  /** A node stops in order. */
  leave(citizen: Citizen): void {
    if (!this.#living.delete(citizen)) return;
    this.#joined.delete(citizen);
    this.#ends.push(citizen.node[Symbol.asyncDispose]());
  }

  /** Who is up, nearest to a target first, by looking at everybody. */
  nearest(
    target: NodeId,
    count: number,
    among: Iterable<Citizen> = this.#living,
  ): Citizen[] {
    const found: Citizen[] = [];
    for (const one of among) {
      const { id } = one.node;
      const last = found[count - 1];
      if (last !== undefined && closer(target, last.node.id, id) < 0) continue;
      let at = found.length;
      while (at > 0 && closer(target, found[at - 1]!.node.id, id) > 0) at--;
      found.splice(at, 0, one);
      if (found.length > count) found.pop();
    }
    return found;
  }

  /** The median round trip between nodes that are up, in milliseconds. */
  medianRoundTripMs(): number {
    const names = shuffled(this.living, new SeededRandom(1)).slice(0, 400)
      .map(({ host }) => `${host.address.ip}:${host.address.port}`);
    const trips: number[] = [];
    for (let i = 0; i + 1 < names.length; i++) {
      trips.push(this.earth.roundTripMs(names[i]!, names[i + 1]!));
    }
    trips.sort((a, b) => a - b);
    return trips[trips.length >> 1] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const citizen of this.living) this.leave(citizen);
    await this.run(Promise.all(this.#ends));
  }
}
