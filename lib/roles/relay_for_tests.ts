/** A relay of a simulated world, and peers that ask it. Its pairs have ports without sockets; what passes is said by the test. */
import {
  type Address,
  keyOf,
  type NodeId,
  TesserasError,
} from "@tesseras/core";
import { POW_BITS_MIN } from "@tesseras/core/limits";
import {
  MonthVolume,
  RELAY_DEFAULTS,
  type RelayLimits,
  type SessionEnd,
} from "@tesseras/nat";
import {
  emptyTally,
  type ForwardedPair,
  type Forwarder,
  type PairRequest,
  type SharedQuotas,
  type Tally,
} from "@tesseras/relay";
import type { NodeSigner } from "@tesseras/crypto";
import { MemoryState, type State } from "@tesseras/state";
import {
  type AddOptions,
  type Inhabitant,
  never,
  type Rogue,
  type World,
} from "@tesseras/testing/sim";
import {
  type Fresh,
  type NodeRecord,
  readFresh,
  RELAY_ENDED,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
  type RelayEnded,
  type RelayGranted,
  signFresh,
} from "@tesseras/wire";
import { relayRole } from "./relay.ts";

/** A pair without sockets. */
export class PortPair implements ForwardedPair {
  readonly tally: Tally = emptyTally();
  readonly ended: Promise<SessionEnd>;
  readonly ports: readonly [number, number];
  /** Where each side was last said to be. */
  readonly ips: [string, string | undefined];
  isClosed = false;
  bytesPerSecond: number;
  #end: (why: SessionEnd) => void;

  constructor(port: number, { ip, terms }: PairRequest) {
    this.ports = [port, port + 1];
    this.ips = [ip, undefined];
    this.bytesPerSecond = terms.bytesPerSecond;
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#end = resolve;
  }

  relock(side: 0 | 1, ip: string): Promise<void> {
    this.ips[side] = ip;
    return Promise.resolve();
  }

  lift({ bytesPerSecond }: PairRequest["terms"]): Promise<void> {
    this.bytesPerSecond = Math.max(this.bytesPerSecond, bytesPerSecond);
    return Promise.resolve();
  }

  close(): void {
    this.endBy("closed");
  }

  endBy(why: SessionEnd): void {
    this.isClosed = true;
    this.#end(why);
  }
}

/** Gives out such pairs. */
export class Ports implements Forwarder {
  readonly kind = "datagrams";
  readonly #failing = Promise.withResolvers<unknown>();
  readonly failed = this.#failing.promise;
  readonly pairs: PortPair[] = [];
  /** No port is free. */
  isFull = false;

  get pairCount(): number {
    return this.pairs.filter(({ isClosed }) => !isClosed).length;
  }

  /** Nothing is forwarded any more. */
  fail(error: Error): void {
    this.#failing.resolve(error);
  }

  open(request: PairRequest): Promise<ForwardedPair> {
    if (this.isFull) {
      return Promise.reject(new TesserasError("overloaded", "Cannot: full"));
    }
    const pair = new PortPair(40_000 + 2 * this.pairs.length, request);
    this.pairs.push(pair);
    return Promise.resolve(pair);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A relay. */
export type TestRelay = Inhabitant & { readonly ports: Ports };

/** How a relay differs from the others. */
export type RelayWishes = {
  readonly limits?: Partial<RelayLimits>;
  readonly volume?: MonthVolume;
  readonly quotas?: SharedQuotas;
  readonly state?: State;
  readonly add?: AddOptions;
};

/** Starts a relay. */
export async function startRelay(
  world: World,
  { limits, volume, quotas, state, add }: RelayWishes = {},
): Promise<TestRelay> {
  const ports = new Ports();
  const kept = state ?? new MemoryState();
  const made = await world.add([], {
    ...add,
    state: kept,
    change: (_, node) => [
      relayRole(node, {
        forwarder: ports,
        limits: { ...RELAY_DEFAULTS, ...limits },
        volume: volume ??
          new MonthVolume(Infinity, undefined, world.clock.nowMs()),
        state: kept,
        quotas,
      }),
    ],
  });
  return { ...made, ports };
}

/** A peer that asks to be relayed, and hears of ends. */
export type TestPeer = Rogue & { readonly ends: Fresh<RelayEnded>[] };

/** Starts one, as somebody in particular if told so. */
export async function startPeer(
  world: World,
  identity?: NodeSigner,
): Promise<TestPeer> {
  const ends: Fresh<RelayEnded>[] = [];
  const rogue = await world.rogue(
    (_, request) => {
      if (request.type !== "relay_close") {
        throw new TesserasError("refused", "Cannot answer that");
      }
      ends.push(
        readFresh(RELAY_ENDED, request.end, {
          nowMs: world.clock.nowMs(),
          powBits: POW_BITS_MIN,
        }),
      );
      return Promise.resolve({ response: { type: "relay_closed" } });
    },
    0,
    identity,
  );
  return { ...rogue, ends };
}

/** What one asks of a relay. */
export class Asking {
  readonly #world: World;
  readonly #relay: NodeRecord;

  constructor(world: World, relay: TestRelay) {
    this.#world = world;
    this.#relay = relay.node.record();
  }

  /** Asks for a pair. `as` is who signs, `relay` whom it is meant for, `bytes` what is sent instead. */
  request(
    from: Rogue,
    peer: NodeId,
    {
      as = from,
      relay = this.#relay.id,
      bytes = undefined as
        | Uint8Array
        | undefined,
    } = {},
  ): Promise<Fresh<RelayGranted>> {
    const words = { relay, peer };
    const request = bytes ??
      signFresh(RELAY_WANTED, words, this.#signer(as)).bytes;
    return this.#granted(from, { type: "relay_request", request });
  }

  /** Says that one has moved. */
  migrate(from: Rogue, session: Uint8Array): Promise<Fresh<RelayGranted>> {
    const words = { relay: this.#relay.id, session };
    const { bytes } = signFresh(RELAY_MOVED, words, this.#signer(from));
    return this.#granted(from, { type: "relay_migrate", migration: bytes });
  }

  /** Ends a session. */
  async close(
    from: Rogue,
    session: Uint8Array,
    why: RelayEnded["why"],
    graceMs = 0,
  ): Promise<void> {
    const words = { to: this.#relay.id, session, why, graceMs };
    const { bytes: end } = signFresh(RELAY_ENDED, words, this.#signer(from));
    const request = { type: "relay_close", end } as const;
    await this.#world.run(from.peers.ask(this.#relay, request, {}, never));
  }

  async #granted(
    from: Rogue,
    request:
      | { readonly type: "relay_request"; readonly request: Uint8Array }
      | { readonly type: "relay_migrate"; readonly migration: Uint8Array },
  ): Promise<Fresh<RelayGranted>> {
    const { response } = await this.#world.run(
      from.peers.ask(this.#relay, request, {}, never),
    );
    if (response.type !== "relay_offer") throw new Error(response.type);
    return readFresh(RELAY_GRANTED, response.offer, {
      nowMs: this.#world.clock.nowMs(),
      powBits: POW_BITS_MIN,
    });
  }

  #signer({ identity: signer }: Rogue) {
    return { signer, nowMs: this.#world.clock.nowMs() };
  }
}

/** Where a peer of the world is. */
export function homeOf({ record }: Rogue): Address {
  return record.addresses[0]!;
}

/** The same for the same session. */
export function nameOf({ session }: { readonly session: Uint8Array }): string {
  return keyOf(session);
}
