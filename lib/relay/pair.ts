/** What becomes of each packet of one relayed pair, decided without sending one. Time is an argument. */
import type { Address } from "@tesseras/core";
import {
  otherSide,
  RelaySession,
  type SessionEnd,
  type SessionTerms,
  type Side,
} from "@tesseras/nat";
import { isLong, OfferedIds, opensConnection } from "./quic_ids.ts";

/** Packets of a side kept while the other has not come: the opening of a connection is one or two, and both sides may dial twice. */
const HELD_PACKETS_MAX = 4;
/** A longer packet is not kept: nothing between two networks is larger (Ethernet). */
const HELD_BYTES_MAX = 1_500;
/** Stands for a pair where the machine asks who its peers are: the data path does not know. */
const NOBODY = { id: new Uint8Array(0), peers: ["0", "1"] } as const;

/** A packet that came to the port of a side. May be used again for the next. */
export type Arrival = {
  side: Side;
  /** Kept: give the same object for the same address, and nothing is allocated. */
  from: Address;
  /** Its first `bytes` are the packet. Borrowed. */
  buffer: Uint8Array;
  bytes: number;
};

/** What has happened to the packets of a pair, both ways together. */
export type Tally = {
  forwardedPackets: number;
  forwardedBytes: number;
  /** From an address that is not the peer's, or in the name of neither. */
  strangerPackets: number;
  /** Over the rate. */
  ratePackets: number;
  /** Nobody was at the other side yet, and enough were held. */
  alonePackets: number;
  /** The kernel did not take them. */
  unsentPackets: number;
};

/** Nothing has happened. */
export function emptyTally(): Tally {
  return {
    forwardedPackets: 0,
    forwardedBytes: 0,
    strangerPackets: 0,
    ratePackets: 0,
    alonePackets: 0,
    unsentPackets: 0,
  };
}

/**
 * Two peers, each on a port of its own. A side is known by the address that its own connection to the relay came from, and by the
 * port of its first packet that opens a QUIC connection or answers one. Another port of the same address may take its place when the
 * first has fallen silent, and only with an id that the other side offered: a neighbour behind the same NAT knows none. Another
 * address takes {@link Pair.relock}, so nothing ever goes to a third party; and each byte that leaves came in.
 */
export class Pair {
  /** Counted on; borrow it and copy what you keep. */
  readonly tally: Tally = emptyTally();
  readonly #session: RelaySession;
  readonly #ids = new OfferedIds();
  readonly #locked: [Address | undefined, Address | undefined] = [
    undefined,
    undefined,
  ];
  readonly #held: readonly [Uint8Array[], Uint8Array[]] = [[], []];
  /** The question asked of the session for each packet, so that none is made anew. */
  readonly #seen = { ip: "", port: 0, bytes: 0 };

  /** @param ip where side 0 proved who it is; side 1 comes with {@link Pair.relock} */
  constructor(ip: string, terms: SessionTerms, nowMs: number) {
    this.#session = new RelaySession({ ...NOBODY, ip, terms }, nowMs);
  }

  /** Where packets for a side go; `undefined` until it has sent one. The same object until it changes. */
  addressOf(side: Side): Address | undefined {
    return this.#locked[side];
  }

  /** A side proved to be at this address: its packets come from there from now on, and its port is learned anew. */
  relock(side: Side, ip: string, nowMs: number): void {
    this.#session.join(side, ip, nowMs);
    if (this.#session.addressOf(side) === undefined) {
      this.#locked[side] = undefined;
    }
  }

  /** Better terms. See `RelaySession.lift`. */
  lift(terms: SessionTerms, nowMs: number): void {
    this.#session.lift(terms, nowMs);
  }

  /** Why the pair is over, if it is. */
  expire(nowMs: number): SessionEnd | undefined {
    return this.#session.expire(nowMs);
  }

  /**
   * Whether a packet goes on to the other side now. Keeps a copy of the first ones that come while nobody is there: see
   * {@link Pair.release}.
   */
  judge(arrival: Readonly<Arrival>, nowMs: number): boolean {
    const { side, from, bytes } = arrival;
    if (!this.#isKnown(side, from) && !this.#mayEnter(arrival)) {
      this.tally.strangerPackets++;
      return false;
    }
    const verdict = this.#ask(side, from, bytes, nowMs);
    if (verdict === "stranger" || verdict === "over") {
      this.tally.strangerPackets++;
      return false;
    }
    this.#locked[side] = from;
    if (isLong(arrival.buffer)) this.#ids.learn(side, packetOf(arrival));
    if (verdict === "forward") return this.#count(bytes);
    if (verdict === "rate") this.tally.ratePackets++;
    else this.#hold(side, packetOf(arrival));
    return false;
  }

  /** Whether packets of a side wait for the other, who is there now. */
  isHolding(side: Side): boolean {
    return this.#held[side].length > 0 &&
      this.#locked[otherSide(side)] !== undefined;
  }

  /** Hands out the packets of a side that waited for the other and may go now. */
  release(side: Side, nowMs: number): readonly Uint8Array[] {
    const from = this.#locked[side];
    const held = this.#held[side].splice(0);
    if (from === undefined) return [];
    return held.filter(({ length }) => {
      if (this.#ask(side, from, length, nowMs) === "forward") {
        return this.#count(length);
      }
      this.tally.ratePackets++;
      return false;
    });
  }

  #ask(side: Side, { ip, port }: Address, bytes: number, nowMs: number) {
    this.#seen.ip = ip;
    this.#seen.port = port;
    this.#seen.bytes = bytes;
    return this.#session.packet(side, this.#seen, nowMs);
  }

  #isKnown(side: Side, from: Address): boolean {
    const locked = this.#locked[side];
    return locked === from ||
      locked?.port === from.port && locked.ip === from.ip;
  }

  #mayEnter(arrival: Readonly<Arrival>): boolean {
    const { side } = arrival;
    const packet = packetOf(arrival);
    if (this.#ids.isEcho(side, packet)) return true;
    return this.#locked[side] === undefined && opensConnection(packet);
  }

  #count(bytes: number): true {
    this.tally.forwardedPackets++;
    this.tally.forwardedBytes += bytes;
    return true;
  }

  #hold(side: Side, packet: Uint8Array): void {
    const held = this.#held[side];
    if (held.length < HELD_PACKETS_MAX && packet.length <= HELD_BYTES_MAX) {
      held.push(packet.slice());
    } else this.tally.alonePackets++;
  }
}

function packetOf({ buffer, bytes }: Readonly<Arrival>): Uint8Array {
  return buffer.subarray(0, bytes);
}
