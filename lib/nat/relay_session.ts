/** One relayed pair: who may send, from where, how much, and for how long. The packets themselves are the shell's. */
import type { Address } from "@tesseras/core";
import { Allowance } from "./allowance.ts";

/** The one or the other peer of a session. */
export type Side = 0 | 1;

/** The other one. */
export function otherSide(side: Side): Side {
  return side === 0 ? 1 : 0;
}

/** What becomes of a packet. */
export type PacketVerdict =
  | "forward"
  /** From an address that neither peer was seen at, or a port that is not the peer's. */
  | "stranger"
  /** The other peer has not come yet, or has not sent: nothing goes where nobody asked from. */
  | "alone"
  /** Over the rate. */
  | "rate"
  /** The session is over. */
  | "over";

/** How a session is limited. */
export type SessionTerms = {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  /** How long it lasts from its beginning; `Infinity` for those who give. */
  readonly lastsMs: number;
  readonly idleMs: number;
  /** How long the second peer may take to come. */
  readonly joinMs: number;
};

/** Why a session ended. */
export type SessionEnd = "alone" | "idle" | "time" | "closed";

/** After so long without a packet from the port in use, another port of the same address may take its place: a NAT forgot the old one. */
const PORT_SILENT_MS = 1_000;

type Seat = {
  /** Where the peer proved who it is; its packets come from there or are a stranger's. */
  ip: string;
  /** The port it sends from, known with its first packet. */
  port: number | undefined;
  heardMs: number;
  allowance: Allowance;
};

/** One session. Times on a monotonic clock. */
export class RelaySession {
  /** The number both peers name it by. Borrowed bytes. */
  readonly id: Uint8Array;
  /** Both peers' ids as text, in the order of asking. */
  readonly peers: readonly [string, string];
  readonly #startedMs: number;
  readonly #seats: [Seat | undefined, Seat | undefined] = [
    undefined,
    undefined,
  ];
  #terms: SessionTerms;
  #activeMs: number;
  #end: SessionEnd | undefined;
  #bytes = 0;

  /** Begins with its first peer, which is side 0. */
  constructor(
    parts: {
      readonly id: Uint8Array;
      readonly peers: readonly [string, string];
      readonly ip: string;
      readonly terms: SessionTerms;
    },
    nowMs: number,
  ) {
    this.id = parts.id;
    this.peers = parts.peers;
    this.#terms = parts.terms;
    this.#startedMs = nowMs;
    this.#activeMs = nowMs;
    this.#seats[0] = this.#seat(parts.ip, nowMs);
  }

  /** Bytes forwarded, both ways. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Why it is over, if it is. */
  get ended(): SessionEnd | undefined {
    return this.#end;
  }

  /** How it is limited now. */
  get terms(): SessionTerms {
    return this.#terms;
  }

  /** Bytes a second it forwards each way. */
  get bytesPerSecond(): number {
    return this.#terms.bytesPerSecond;
  }

  /** Whether a peer has asked for the session. */
  hasJoined(side: Side): boolean {
    return this.#seats[side] !== undefined;
  }

  /** Which side a peer is, by its id as text; `undefined` for a stranger. */
  sideOf(peer: string): Side | undefined {
    if (peer === this.peers[0]) return 0;
    return peer === this.peers[1] ? 1 : undefined;
  }

  /** Milliseconds until it ends whatever happens; `Infinity` for those who give. */
  leftMs(nowMs: number): number {
    return Math.max(0, this.#startedMs + this.#terms.lastsMs - nowMs);
  }

  /**
   * A peer asked for the session, or moved: its packets come from this address from now on, and its port is learned anew. The
   * caller knows the address from a connection on which the peer proved who it is.
   */
  join(side: Side, ip: string, nowMs: number): void {
    if (this.#end !== undefined) return;
    const seat = this.#seats[side];
    if (seat === undefined) this.#seats[side] = this.#seat(ip, nowMs);
    // Asking again from the same place must not cut off a line that works.
    else if (seat.ip !== ip || this.#isSilent(seat, nowMs)) {
      seat.ip = ip;
      seat.port = undefined;
    }
    this.#activeMs = nowMs;
  }

  /** Gives the session better terms: its second peer keeps fragments for others, its first does not. Never worse ones. */
  lift(terms: SessionTerms, nowMs: number): void {
    if (terms.bytesPerSecond <= this.#terms.bytesPerSecond) return;
    this.#terms = terms;
    for (const seat of this.#seats) {
      if (seat !== undefined) seat.allowance = new Allowance(terms, nowMs);
    }
  }

  /** Where packets for a peer go; `undefined` until it has sent one. */
  addressOf(side: Side): Address | undefined {
    const seat = this.#seats[side];
    if (seat?.port === undefined) return undefined;
    return { ip: seat.ip, port: seat.port };
  }

  /** Judges a packet that came to the port of a side. Each byte that leaves came in, and goes where its receiver spoke from. */
  packet(
    side: Side,
    { ip, port, bytes }: Address & { readonly bytes: number },
    nowMs: number,
  ): PacketVerdict {
    if (this.#end !== undefined) return "over";
    const seat = this.#seats[side];
    if (seat === undefined || seat.ip !== ip) return "stranger";
    if (seat.port !== port) {
      if (seat.port !== undefined && !this.#isSilent(seat, nowMs)) {
        return "stranger";
      }
      seat.port = port;
    }
    seat.heardMs = nowMs;
    if (this.#seats[otherSide(side)]?.port === undefined) return "alone";
    if (!seat.allowance.take(bytes, nowMs)) return "rate";
    this.#bytes += bytes;
    this.#activeMs = nowMs;
    return "forward";
  }

  /** Notes that bytes were forwarded where packets are judged by another session of the same terms: in a thread, for one. */
  forwarded(bytes: number, nowMs: number): void {
    if (bytes <= 0 || this.#end !== undefined) return;
    this.#bytes += bytes;
    this.#activeMs = nowMs;
  }

  /** Ends it for a reason of time, if there is one, and returns why it is over. */
  expire(nowMs: number): SessionEnd | undefined {
    if (this.#end !== undefined) return this.#end;
    const { idleMs, joinMs } = this.#terms;
    const isWhole = this.hasJoined(0) && this.hasJoined(1);
    if (!isWhole && nowMs - this.#startedMs >= joinMs) this.#end = "alone";
    else if (this.leftMs(nowMs) === 0) this.#end = "time";
    else if (nowMs - this.#activeMs >= idleMs) this.#end = "idle";
    return this.#end;
  }

  /** Ends it because one of the two, or the relay, wants so. */
  close(): void {
    this.#end ??= "closed";
  }

  #seat(ip: string, nowMs: number): Seat {
    return {
      ip,
      port: undefined,
      heardMs: nowMs,
      allowance: new Allowance(this.#terms, nowMs),
    };
  }

  #isSilent({ heardMs }: Seat, nowMs: number): boolean {
    return nowMs - heardMs >= PORT_SILENT_MS;
  }
}
