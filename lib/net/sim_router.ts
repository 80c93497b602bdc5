/** Who gets a packet in the simulated network: the nodes at their addresses, and the NATs some of them sit behind. */
import { type Address, formatAddress } from "@tesseras/core";
import type { SimNat } from "./sim_nat.ts";

/** A node's place: its own address, and the NAT before it, if there is one. */
export type SimPlace = {
  readonly address: Address;
  readonly nat?: SimNat | undefined;
};

/** A packet under way. */
export type SimPacket = {
  /** Where it comes from, as whoever gets it sees it. */
  readonly source: Address;
  readonly to: Address;
  /** The NAT inside whose network it stays. */
  readonly within: SimNat | undefined;
  readonly bytes: number;
};

/** A packet that got in: to whom, and where it seems to come from. */
export type SimArrival<Guest> = {
  readonly guest: Guest;
  readonly source: Address;
};

/** A place that hands packets on, as a relay does: where each goes next and where it then comes from; `undefined` drops it. */
export type SimHop = (
  packet: Pick<SimPacket, "source" | "bytes">,
) => Pick<SimPacket, "source" | "to"> | undefined;

/** How often a packet is handed on at most: relays that send to each other shall not do so for ever. */
const HOPS_MAX = 4;

/** What a router carries for: something that has a place. */
export type SimGuest = { readonly place: SimPlace };

/** How a place is called in traces and links: its address, and for one behind a NAT the name of that. */
export function placeName({ address, nat }: SimPlace): string {
  const at = formatAddress(address);
  return nat === undefined ? at : `${at}@${nat.name}`;
}

/** Every node that is up, by place, and every NAT. */
export class SimRouter<Guest extends SimGuest> {
  readonly #guests = new Map<string, Guest>();
  readonly #nats = new Set<SimNat>();
  readonly #hops = new Map<string, SimHop>();

  /** How many nodes are up. */
  get size(): number {
    return this.#guests.size;
  }

  /** Whether a packet may be lost on its way to somebody who is there, and from where it comes may change. */
  get hasNats(): boolean {
    return this.#nats.size > 0;
  }

  /** Has packets to an address handed on, until what it returns is disposed. The way takes no longer for it. */
  handOn(address: Address, hop: SimHop): Disposable {
    const at = formatAddress(address);
    this.#hops.set(at, hop);
    return { [Symbol.dispose]: () => void this.#hops.delete(at) };
  }

  /** Puts a NAT before the nodes that name it. */
  addNat(nat: SimNat): void {
    this.#nats.add(nat);
  }

  at(place: SimPlace): Guest | undefined {
    return this.#guests.get(placeName(place));
  }

  enter(guest: Guest): void {
    this.#guests.set(placeName(guest.place), guest);
  }

  leave(guest: Guest): void {
    this.#guests.delete(placeName(guest.place));
  }

  guests(): Iterable<Guest> {
    return this.#guests.values();
  }

  /** A packet leaves a place: its NAT notes whom it went to, now and not when it arrives. */
  send({ address, nat }: SimPlace, to: Address, bytes: number): SimPacket {
    const own = { source: address, to, within: undefined, bytes };
    if (nat === undefined) return own;
    const isNeighbour = this.#guests.has(placeName({ address: to, nat }));
    if (isNeighbour) return { ...own, within: nat };
    return { ...own, source: nat.leave(address, to) };
  }

  /** A packet arrives: who gets it, if anybody does. NATs on the way note that it came. */
  receive(
    packet: SimPacket,
    hopsLeft = HOPS_MAX,
  ): SimArrival<Guest> | undefined {
    const { source, to, within } = packet;
    const hop = this.#hops.get(formatAddress(to));
    if (hop !== undefined && within === undefined) {
      const next = hopsLeft > 0 ? hop(packet) : undefined;
      return next && this.receive({ ...packet, ...next }, hopsLeft - 1);
    }
    const place = this.#placeOf(packet);
    const guest = place && this.at(place);
    return guest && { guest, source };
  }

  #placeOf({ source, to, within }: SimPacket): SimPlace | undefined {
    if (within !== undefined) return { address: to, nat: within };
    const nat = this.#natAt(to.ip);
    if (nat === undefined) return { address: to };
    if (source.ip === nat.ip && !nat.hairpins) return undefined;
    const inner = nat.enter(to.port, source);
    return inner && { address: inner, nat };
  }

  #natAt(ip: string): SimNat | undefined {
    for (const nat of this.#nats) if (nat.ip === ip) return nat;
    return undefined;
  }
}
