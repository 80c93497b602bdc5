/** One bucket of the routing table: a short list of peers, and those that wait for a place in it. */
import { equal } from "@tesseras/core";
import type { NodeId } from "@tesseras/core";

/** What routing needs to know of a peer. Owners extend it with address and keys; the table keeps the object it is given. */
export interface Contact {
  readonly id: NodeId;
  /** The /24 or /48 it was reached in. Without one it counts towards no subnet limit. */
  readonly subnet?: string;
  /** What the peer offers, one bit each. */
  readonly capabilities: number;
}

/** What a bucket keeps of one contact; the bucket owns it and changes it. */
export type Place<C extends Contact> = {
  contact: C;
  /** {@link headOf} the contact's id. */
  readonly head: number;
  seenMs: number;
  failures: number;
};

/** Contacts whose ids differ from ours first in the same bit. */
export type Bucket<C extends Contact> = {
  /** Least recently seen first. */
  readonly peers: Place<C>[];
  /** Contacts that found the bucket full, least recently seen first. */
  readonly waiting: Place<C>[];
  /** The peer our owner was told to ping, until it reports. */
  probed: Place<C> | undefined;
  probedMs: number;
  /** When a lookup last ran for an id in this bucket. */
  touchedMs: number;
};

/** A bucket nobody is in and no lookup ran for. */
export function emptyBucket<C extends Contact>(): Bucket<C> {
  return {
    peers: [],
    waiting: [],
    probed: undefined,
    probedMs: -Infinity,
    touchedMs: -Infinity,
  };
}

/**
 * The first 30 bits of an id: whatever differs in them is told apart by one small number, without a look at contact and id. Their
 * order by XOR is that of the ids.
 */
export function headOf(id: NodeId): number {
  return id[0]! << 22 | id[1]! << 14 | id[2]! << 6 | id[3]! >> 2;
}

/** Where an id is in a list, or -1. */
export function find<C extends Contact>(
  places: readonly Place<C>[],
  id: NodeId,
): number {
  const head = headOf(id);
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    if (place.head === head && equal(place.contact.id, id)) return i;
  }
  return -1;
}

/** Takes the place of an id out of a list. */
export function take<C extends Contact>(
  places: Place<C>[],
  id: NodeId,
): Place<C> | undefined {
  const at = find(places, id);
  return at < 0 ? undefined : places.splice(at, 1)[0];
}

/** Puts a place where its age belongs: at the end, unless it waited while others were heard of. */
export function insertByAge<C extends Contact>(
  places: Place<C>[],
  place: Place<C>,
): void {
  let at = places.length;
  while (at > 0 && places[at - 1]!.seenMs > place.seenMs) at--;
  places.splice(at, 0, place);
}

/** How many of a list are in the subnet of a contact; 0 when it has none. */
export function subnetCount<C extends Contact>(
  places: readonly Place<C>[],
  contact: C,
): number {
  if (contact.subnet === undefined) return 0;
  let count = 0;
  for (const place of places) {
    if (place.contact.subnet === contact.subnet) count++;
  }
  return count;
}

/** The owner reported on this peer, so it may be told to ping again. */
export function settle<C extends Contact>(
  bucket: Bucket<C>,
  place: Place<C>,
): void {
  if (bucket.probed === place) bucket.probed = undefined;
}
