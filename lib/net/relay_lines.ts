/** The relayed sessions of this node, as one of their two peers: asked for, checked, followed and ended. */
import {
  type Address,
  equal,
  formatAddress,
  keyOf,
  type NodeId,
  type Runtime,
  TesserasError,
} from "@tesseras/core";
import { RELAY_SESSIONS_PER_PEER_MAX } from "@tesseras/core/limits";
import {
  CAPABILITIES,
  type Fresh,
  hasCapabilities,
  type NodeRecord,
  readFresh,
  readNodeRecord,
  RELAY_ENDED,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
  type RelayClose,
  type RelayEnd,
  type RelayGranted,
  type RelayMigrate,
  type RelayOffered,
  type RelayRequest,
  type Rendezvous,
  signFresh,
} from "@tesseras/wire";
import type { PeerNet } from "./peer_net.ts";
import { dialHello, type Self, type Session } from "./hello.ts";
import type { Reply } from "./serve.ts";
import type { Transport } from "./transport.ts";

/** One session of ours at a relay. */
export type RelayLine = {
  readonly relay: NodeRecord;
  /** The number that relay and peers name it by. */
  readonly session: Uint8Array;
  readonly peer: NodeId;
  /** The relay's port to which we send, and from which the peer's packets come. */
  readonly address: Address;
  /** What is forwarded each way. */
  readonly bytesPerSecond: number;
  /** When it ends whatever happens, on the monotonic clock; `Infinity` for as long as it is used. */
  readonly endsMs: number;
  /** The signed grant, for the peer to see that the relay has agreed. */
  readonly offer: Uint8Array;
  /** Whether the relay has said that it ends soon. */
  readonly isEnding: boolean;
};

/** What a relay said of a line: it is over, or, with a grace, about to be. */
export type RelayLineEnd = {
  readonly line: RelayLine;
  readonly why: RelayEnd;
  /** Milliseconds for which packets still pass. */
  readonly graceMs: number;
};

/** What lines are made of. */
export type RelayLinesParts = {
  readonly self: Self;
  /** How relays are asked, over sessions of their own. */
  readonly peers: Pick<PeerNet, "ask" | "remoteOf">;
  /** Hears of an end that the relay announced. Must not throw. */
  readonly onEnd: (end: RelayLineEnd) => void;
};

/** Lines at once, whatever the relays would grant: as many as four of them do. */
const LINES_MAX = 4 * RELAY_SESSIONS_PER_PEER_MAX;

/** The relayed sessions of one node. */
export class RelayLines {
  readonly #parts: RelayLinesParts;
  readonly #runtime: Runtime;
  /** By session. */
  readonly #lines = new Map<string, RelayLine>();
  /** Lines by the address they are dialled at. */
  readonly #ports = new Map<string, string>();

  constructor(parts: RelayLinesParts, runtime: Runtime) {
    this.#parts = parts;
    this.#runtime = runtime;
  }

  /** Every line there is. */
  all(): readonly RelayLine[] {
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const line of [...this.#lines.values()]) {
      if (line.endsMs <= nowMs) this.#forget(line);
    }
    return [...this.#lines.values()];
  }

  /** Whether an address is a relay's port that was granted to us: a connection there is relayed. */
  has(address: Address): boolean {
    return this.#ports.has(formatAddress(address));
  }

  /** The lines to a peer, the one granted last in front. */
  to(peer: NodeId): readonly RelayLine[] {
    return this.all().filter((line) => equal(line.peer, peer)).reverse();
  }

  /** Whether a line stands on this relay: it knows where we are by our own connection, which is to stay open. */
  standsOn(relay: NodeId): boolean {
    return this.all().some((line) => equal(line.relay.id, relay));
  }

  /**
   * Asks a relay to carry what is exchanged with a peer, who must ask as well. Asked again, it tells how things stand.
   *
   * @throws `overloaded` when it, or this node, has no room; `forged` when what it grants is not what was asked for; and as `PeerNet.ask`
   */
  async request(
    relay: NodeRecord,
    peer: NodeId,
    signal: AbortSignal,
  ): Promise<RelayLine> {
    if (this.all().length >= LINES_MAX && this.to(peer).length === 0) {
      throw new TesserasError(
        "overloaded",
        `Cannot be relayed: all ${LINES_MAX} lines are in use`,
      );
    }
    const { bytes } = this.#sign(RELAY_WANTED, { relay: relay.id, peer });
    const request: RelayRequest = { type: "relay_request", request: bytes };
    return await this.#granted(relay, peer, request, signal);
  }

  /** What the peer needs in order to come to a line: see {@link RelayLines.follow}. */
  rendezvousOf({ relay, offer }: RelayLine): Rendezvous {
    return { relay: relay.bytes, offer };
  }

  /**
   * Comes to a line of another, who wants to meet us there. Borrows the bytes.
   *
   * @throws `forged` when relay and offer do not fit together or the offer is not of a line from the asker to us; `malformed`;
   * `refused` for one that is stale; and as {@link RelayLines.request}
   */
  async follow(
    rendezvous: Rendezvous,
    asker: NodeId,
    signal: AbortSignal,
  ): Promise<RelayLine> {
    const { clock } = this.#runtime;
    const { self } = this.#parts;
    const rules = { nowMs: clock.nowMs(), powBits: self.powBits };
    const relay = readNodeRecord(rendezvous.relay, rules);
    const offer = readFresh(RELAY_GRANTED, rendezvous.offer, rules);
    const isOfRelay = equal(offer.id, relay.id) &&
      hasCapabilities(relay.capabilities, CAPABILITIES.RELAY);
    const isForUs = equal(offer.to, asker) &&
      equal(offer.peer, self.identity.id);
    if (!isOfRelay || !isForUs) {
      throw new TesserasError(
        "forged",
        `Cannot meet ${keyOf(asker)} at a relay: the offer is not ${
          isOfRelay ? "for us two" : "the relay's"
        }`,
      );
    }
    return await this.request(relay, asker, signal);
  }

  /**
   * Tells the relay that we are elsewhere now. It believes where this very message comes from.
   *
   * @throws `absent` when the session has ended, and as {@link RelayLines.request}
   */
  async migrate(line: RelayLine, signal: AbortSignal): Promise<RelayLine> {
    const { relay, session, peer } = line;
    const { bytes } = this.#sign(RELAY_MOVED, { relay: relay.id, session });
    const request: RelayMigrate = { type: "relay_migrate", migration: bytes };
    return await this.#granted(relay, peer, request, signal);
  }

  /**
   * Connects to the peer through a line: the peer proves who it is as on any connection, and the relay sees ciphertext. Both peers
   * do this, for neither's packets pass before the other has sent one; one of the two connections is kept.
   *
   * @throws as `Transport.dial` and `dialHello`
   */
  async dial(
    line: RelayLine,
    pinned: Pick<NodeRecord, "id" | "publicKey">,
    transport: Transport,
    signal: AbortSignal,
  ): Promise<Session> {
    const { publicKey } = pinned;
    const connection = await transport.dial(
      line.address,
      { publicKey },
      signal,
    );
    try {
      const { self } = this.#parts;
      const parts = { self, runtime: this.#runtime, pinned };
      const session = await dialHello(connection, parts, signal);
      return { ...session, way: "relayed" };
    } catch (error) {
      connection.close(0, "relay");
      throw error;
    }
  }

  /** Gives a line up and tells the relay. @throws as `PeerNet.ask`; the line is forgotten all the same */
  async close(
    line: RelayLine,
    why: RelayEnd,
    signal: AbortSignal,
  ): Promise<void> {
    this.#forget(line);
    const { relay, session } = line;
    const words = { to: relay.id, session, why, graceMs: 0 };
    const end = this.#sign(RELAY_ENDED, words).bytes;
    const request: RelayClose = { type: "relay_close", end };
    await this.#parts.peers.ask(relay, request, {}, signal);
  }

  /**
   * Answers what a relay says of the end of a line.
   *
   * @returns `undefined` when it is about no line of ours, and somebody else's to answer
   * @throws `malformed`, `forged`, `refused`
   */
  heardEnd(from: NodeRecord, { end }: RelayClose): Reply | undefined {
    const { clock } = this.#runtime;
    const { self, onEnd } = this.#parts;
    const said = readFresh(RELAY_ENDED, end, {
      nowMs: clock.nowMs(),
      powBits: self.powBits,
    });
    const line = this.#lines.get(keyOf(said.session));
    if (line === undefined) return undefined;
    const isRelays = equal(said.id, line.relay.id) && equal(said.id, from.id);
    if (!isRelays || !equal(said.to, self.identity.id)) {
      throw new TesserasError(
        "forged",
        `Cannot end a relayed session: ${
          keyOf(from.id)
        } is not the relay that granted it`,
      );
    }
    const { why, graceMs } = said;
    if (graceMs === 0) this.#forget(line);
    else {
      const endsMs = Math.min(line.endsMs, clock.monotonicMs() + graceMs);
      this.#lines.set(keyOf(line.session), {
        ...line,
        endsMs,
        isEnding: true,
      });
    }
    onEnd({ line, why, graceMs });
    return { response: { type: "relay_closed" } };
  }

  async #granted(
    relay: NodeRecord,
    peer: NodeId,
    request: RelayRequest | RelayMigrate,
    signal: AbortSignal,
  ): Promise<RelayLine> {
    const { peers, self } = this.#parts;
    const { response } = await peers.ask(relay, request, {}, signal);
    const { offer } = response as RelayOffered;
    const { clock } = this.#runtime;
    const rules = { nowMs: clock.nowMs(), powBits: self.powBits };
    const granted = readFresh(RELAY_GRANTED, offer, rules);
    this.#check(granted, relay, peer);
    const { session, address, bytesPerSecond, lastsMs } = granted;
    const line = {
      relay,
      session,
      peer,
      address,
      bytesPerSecond,
      endsMs: clock.monotonicMs() + (lastsMs ?? Infinity),
      offer: granted.bytes,
      isEnding: false,
    };
    this.#keep(line);
    return line;
  }

  /** A relay that is no friend could name the port of a third party, for us to send to: only its own addresses are its to give. */
  #check(
    granted: Fresh<RelayGranted>,
    relay: NodeRecord,
    peer: NodeId,
  ): void {
    const { self, peers } = this.#parts;
    const { ip } = granted.address;
    const isItsOwn = peers.remoteOf(relay.id)?.ip === ip ||
      relay.addresses.some((address) => address.ip === ip);
    const fits = equal(granted.id, relay.id) &&
      equal(granted.to, self.identity.id) && equal(granted.peer, peer);
    if (fits && isItsOwn && granted.address.port > 0) return;
    throw new TesserasError(
      "forged",
      `Cannot be relayed by ${keyOf(relay.id)}: ${
        fits
          ? `it names ${formatAddress(granted.address)}, which is not its own`
          : "what it grants is for somebody else"
      }`,
    );
  }

  #keep(line: RelayLine): void {
    const before = this.#lines.get(keyOf(line.session));
    if (before !== undefined) this.#forget(before);
    this.#lines.set(keyOf(line.session), line);
    this.#ports.set(formatAddress(line.address), keyOf(line.session));
  }

  #forget({ session, address }: RelayLine): void {
    this.#lines.delete(keyOf(session));
    const at = formatAddress(address);
    if (this.#ports.get(at) === keyOf(session)) this.#ports.delete(at);
  }

  #sign<F>(
    form: Parameters<typeof signFresh<F>>[0],
    words: F,
  ): Fresh<F> {
    const signer = this.#parts.self.identity;
    return signFresh(form, words, {
      signer,
      nowMs: this.#runtime.clock.nowMs(),
    });
  }
}
