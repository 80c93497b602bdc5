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
  readonly address: Address;
  readonly admit?: Admit | undefined;
  /** The network it belongs to; the public one unless given. */
  readonly network?: string | undefined;
};

/** The network as a node sees it: who lives at an address now. */
export type SimDirectory = Map<string, SimTransport>;

/** One endpoint. Made by the network, which also makes it crash. */
export class SimTransport implements Transport {
  readonly local: Address;
  readonly #name: string;
  readonly #network: string;
  readonly #node: SimNode;
  readonly #world: SimWorld;
  readonly #directory: SimDirectory;
  readonly #arrivals = new Arrivals<Connection>(ARRIVALS_MAX);
  readonly #connections = new Set<SimConnection>();
  readonly #life = new AbortController();
  #greet: Greet = () => {};

  constructor(node: SimNode, world: SimWorld, directory: SimDirectory) {
    this.#node = node;
    this.local = node.address;
    this.#name = formatAddress(node.address);
    this.#network = node.network ?? NETWORK_DEFAULT;
    this.#world = world;
    this.#directory = directory;
    directory.set(this.#name, this);
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
    this.#directory.delete(this.#name);
    this.#arrivals.close();
    this.#life.abort();
    return true;
  }

  /**
   * One round trip, as in QUIC: the dialer is connected after it, the answerer half a round trip later. The answerer may send
   * from the first packet on, and the dialer hears of it once it is connected.
   */
  async #shakeHands(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { trace } = this.#world;
    const to = formatAddress(address);
    trace("dial", this.#name, to, HANDSHAKE_BYTES);
    await this.#travel(this.#name, to, signal);
    const target = this.#directory.get(to);
    if (target === undefined) return await silence(signal);
    if (!(target.#node.admit?.(this.local) ?? true)) {
      await this.#travel(to, this.#name, signal);
      trace("refuse", to, this.#name, 0);
      throw cannotReach(address, "refused", "the peer did not admit us");
    }
    if (target.#network !== this.#network) {
      await this.#travel(to, this.#name, signal);
      trace("refuse", to, this.#name, 0);
      throw cannotReach(address, "refused", "it is of another network");
    }
    const { near, far } = this.#pair(target);
    try {
      target.#greet(far);
      await this.#travel(to, this.#name, signal);
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
    trace("connect", this.#name, to, 0);
    near.send(HANDSHAKE_BYTES, () => target.#arrive(far));
    return near;
  }

  /** Both ends of a connection whose handshake is under way. */
  #pair(target: SimTransport) {
    const { near, far } = SimConnection.pair(this.#world, {
      local: this.local,
      remote: target.local,
      dialled: true,
      onOver: (end) => this.#connections.delete(end),
    }, {
      local: target.local,
      remote: this.local,
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
