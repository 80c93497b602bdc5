/** A node's transport in the simulated network: the handshake with its round trips, and what may answer it. */
import {
  type Address,
  equal,
  formatAddress,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  ARRIVALS_MAX,
  DIAL_GIVE_UP_MS,
  NETWORK_DEFAULT,
} from "@tesseras/core/limits";
import { Arrivals } from "./arrivals.ts";
import { SimConnection, type SimWorld } from "./sim_connection.ts";
import type { SimNat } from "./sim_nat.ts";
import { isHeard, simPaths } from "./sim_path.ts";
import {
  placeName,
  type SimArrival,
  type SimPlace,
  type SimRouter,
} from "./sim_router.ts";
import {
  type Admit,
  CLOSED_FRIENDLY,
  CLOSED_LOST,
  CLOSED_REFUSED,
  type Connection,
  type Expect,
  type Greet,
  type Transport,
} from "./transport.ts";

/** Bytes of a handshake's first packet, padded so that nobody can be flooded through us (RFC 9000, 14.1). */
const HANDSHAKE_BYTES = 1_200;

/** A node as the network sees it. */
export type SimNode = {
  /** Who answers here: the part of a node's signer that a handshake proves. */
  readonly identity: { readonly publicKey: Uint8Array };
  /** Its own address: one inside its NAT's network, when it sits behind one. */
  readonly address: Address;
  readonly nat?: SimNat | undefined;
  readonly admit?: Admit | undefined;
  /** The network it belongs to; the public one unless given. */
  readonly network?: string | undefined;
};

/** When a first packet without an answer is sent again (RFC 9002, 6.2: a second for an unknown path, then twice as long). */
const INITIAL_RESEND_MS = 1_000;

/** One endpoint. Made by the network, which also makes it crash. */
export class SimTransport implements Transport {
  readonly local: Address;
  readonly #name: string;
  readonly #network: string;
  readonly #node: SimNode;
  readonly #world: SimWorld;
  readonly #router: SimRouter<SimTransport>;
  readonly #arrivals = new Arrivals<Connection>(ARRIVALS_MAX);
  readonly #connections = new Set<SimConnection>();
  readonly #life = new AbortController();
  #greet: Greet = () => {};
  #place: SimPlace;

  constructor(
    node: SimNode,
    world: SimWorld,
    router: SimRouter<SimTransport>,
  ) {
    this.#node = node;
    this.local = node.address;
    this.#place = node;
    this.#name = placeName(node);
    this.#network = node.network ?? NETWORK_DEFAULT;
    this.#world = world;
    this.#router = router;
    router.enter(this);
  }

  /** Where it is now. Traces and links go on to call it by its first place. */
  get place(): SimPlace {
    return this.#place;
  }

  /** Takes the node to another place, with its connections: what it sends comes from there. */
  move(place: SimPlace): void {
    this.#router.leave(this);
    this.#place = place;
    this.#router.enter(this);
  }

  /** The ends of this node's connections. */
  get connections(): Iterable<SimConnection> {
    return this.#connections;
  }

  async dial(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection> {
    throwIfAborted(signal);
    using deadline = this.#world.clock.deadline(DIAL_GIVE_UP_MS, signal);
    const alive = AbortSignal.any([deadline.signal, this.#life.signal]);
    try {
      throwIfAborted(alive);
      return await this.#shakeHands(address, expect, alive);
    } catch (error) {
      throwIfAborted(signal);
      if (this.#life.signal.aborted) {
        throw cannotReach(address, "cancelled", "the transport is closed");
      }
      if (!deadline.signal.aborted) throw error;
      throw cannotReach(address, "unreachable", "nobody answers");
    }
  }

  greetWith(greet: Greet): void {
    this.#greet = greet;
  }

  accept(signal: AbortSignal): Promise<Connection | undefined> {
    return this.#arrivals.take(signal);
  }

  // deno-lint-ignore require-await -- the port's disposal takes time on real sockets
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#leave()) return;
    for (const connection of [...this.#connections]) {
      connection.close(CLOSED_FRIENDLY, "the node stops");
    }
  }

  /** Dies without a word: the other ends of its connections find out by silence. */
  crash(): void {
    if (!this.#leave()) return;
    this.#world.trace("crash", this.#name, this.#name, 0);
    for (const connection of [...this.#connections]) {
      connection.end({ code: CLOSED_LOST, reason: "crashed" });
      connection.peer.orphan();
    }
  }

  #leave(): boolean {
    if (this.#life.signal.aborted) return false;
    this.#router.leave(this);
    this.#arrivals.close();
    this.#life.abort();
    return true;
  }

  /**
   * One round trip, as in QUIC: the dialer is connected after it, the answerer half a round trip later. The answerer may send
   * from the first packet on, and the dialer hears of it once it is connected. Where NATs may let a packet in to nobody, the
   * first one is sent again until its answer comes.
   */
  async #shakeHands(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { trace, clock } = this.#world;
    const to = this.#nameOf(address);
    trace("dial", this.#name, to, HANDSHAKE_BYTES);
    for (let waitMs = INITIAL_RESEND_MS;; waitMs *= 2) {
      const sentMs = clock.monotonicMs();
      const packet = this.#router.send(this.place, address, HANDSHAKE_BYTES);
      await this.#travel(this.#name, to, signal);
      const arrival = this.#router.receive(packet);
      const near = arrival &&
        await this.#answered(arrival, { address, expect }, signal);
      if (near !== undefined) return near;
      if (!this.#router.hasNats) return await silence(signal);
      const leftMs = sentMs + waitMs - clock.monotonicMs();
      await clock.sleep(Math.max(0, leftMs), signal);
    }
  }

  /** What the peer says to a first packet; `undefined` when its answer gets in to nobody. */
  async #answered(
    { guest: target, source }: SimArrival<SimTransport>,
    { address, expect }: { readonly address: Address; readonly expect: Expect },
    signal: AbortSignal,
  ): Promise<Connection | undefined> {
    const { trace } = this.#world;
    const back = this.#router.send(target.place, source, HANDSHAKE_BYTES);
    const heard = { by: this, from: address };
    const why = target.#refusal(source, this.#network);
    if (why !== undefined) {
      await this.#travel(target.#name, this.#name, signal);
      if (!isHeard(this.#router, back, heard)) return undefined;
      trace("refuse", target.#name, this.#name, 0);
      throw cannotReach(address, "refused", why);
    }
    const { near, far } = this.#pair(target, { to: address, seenAt: source });
    try {
      target.#greet(far);
      await this.#travel(target.#name, this.#name, signal);
      if (!isHeard(this.#router, back, heard)) {
        for (const end of [near, far]) end.lose();
        return undefined;
      }
      if (
        expect !== "anyone" &&
        !equal(expect.publicKey, target.#node.identity.publicKey)
      ) {
        const saw = "it does not hold the expected key";
        throw cannotReach(address, "forged", saw);
      }
      if (target.#life.signal.aborted) return await silence(signal);
    } catch (error) {
      near.close(CLOSED_REFUSED, "the handshake failed");
      throw error;
    }
    trace("connect", this.#name, target.#name, 0);
    near.send(HANDSHAKE_BYTES, () => target.#arrive(far));
    return near;
  }

  /** Why a dialer from there is turned away, if it is. */
  #refusal(source: Address, network: string): string | undefined {
    if (!(this.#node.admit?.(source) ?? true)) {
      return "the peer did not admit us";
    }
    return this.#network === network ? undefined : "it is of another network";
  }

  /** How the node at an address is called as long as nobody has answered there: one behind a NAT is not known from outside. */
  #nameOf(address: Address): string {
    const { nat } = this.place;
    const neighbour = nat && this.#router.at({ address, nat });
    return neighbour === undefined
      ? formatAddress(address)
      : placeName(neighbour.place);
  }

  /** Both ends of a connection whose handshake is under way. */
  #pair(
    target: SimTransport,
    { to, seenAt }: { readonly to: Address; readonly seenAt: Address },
  ) {
    const paths = this.#router.hasNats
      ? simPaths(this.#router, { dialer: this, answerer: target, to, seenAt })
      : undefined;
    const { near, far } = SimConnection.pair(this.#world, {
      from: this.#name,
      to: target.#name,
      remote: to,
      path: paths?.near,
      dialled: true,
      onOver: (end) => this.#connections.delete(end),
    }, {
      from: target.#name,
      to: this.#name,
      remote: seenAt,
      path: paths?.far,
      dialled: false,
      onOver: (end) => target.#connections.delete(end),
    });
    this.#connections.add(near);
    target.#connections.add(far);
    return { near, far };
  }

  #arrive(connection: SimConnection): void {
    if (!this.#arrivals.push(connection)) {
      connection.close(CLOSED_REFUSED, "too many wait to be accepted");
    }
  }

  /** Takes as long as a packet takes; a packet that gets lost for good takes for ever. */
  async #travel(from: string, to: string, signal: AbortSignal): Promise<void> {
    const { clock, links } = this.#world;
    if (links.isCut(from, to)) return await silence(signal);
    const delayMs = links.delayMs(from, to, HANDSHAKE_BYTES);
    if (delayMs === undefined) return await silence(signal);
    await clock.sleep(delayMs, signal);
    if (links.isCut(from, to)) return await silence(signal);
  }
}

/** Waits until the signal aborts. */
function silence(signal: AbortSignal): Promise<never> {
  return orAbort(new Promise<never>(() => {}), signal);
}

function cannotReach(
  address: Address,
  code: "cancelled" | "refused" | "forged" | "unreachable",
  saw: string,
): TesserasError {
  return new TesserasError(
    code,
    `Cannot connect to ${formatAddress(address)}: ${saw}`,
  );
}
