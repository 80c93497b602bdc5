/**
 * The routing table: 160 buckets of contacts, least recently seen first (Kademlia 2.2, 2.4 and 4.1). It decides;
 * whoever owns it pings, and reports what came of it.
 */
import type { NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  CONTACT_FRESH_MS,
  PING_FAILURES_MAX,
  REPLACEMENTS_MAX,
} from "@tesseras/core/limits";
import {
  type Bucket,
  type Contact,
  emptyBucket,
  find,
  headOf,
  insertByAge,
  type Place,
  settle,
  subnetCount,
  take,
} from "./bucket.ts";
import { BUCKET_COUNT, bucketIndex, closer } from "./distance.ts";

/** What to do after a contact was seen. */
export type Step<C extends Contact> =
  /** It has a place in its bucket. */
  | { readonly do: "added" }
  /** It had one; it is the most recently seen now, and what we know of it is new. */
  | { readonly do: "updated" }
  /** It waits; ask whether `oldest` still lives, then report `answered` or `failed` of that one. */
  | { readonly do: "ping"; readonly oldest: C }
  /** It waits: the bucket is full of peers that live, or whose oldest is being asked. */
  | { readonly do: "cached" }
  /** It is ourselves, or its subnet has as many places as one may have. */
  | { readonly do: "refused"; readonly reason: "self" | "subnet" };

/** What a failure changed. */
export type Removal<C extends Contact> = {
  readonly removed: boolean;
  /** The contact that took the free place: heard of once, so worth a ping before it is relied on. */
  readonly promoted?: C;
};

/** One place in the table. */
export type Entry<C extends Contact> = {
  readonly contact: C;
  /** When it was last heard of, in milliseconds of the owner's monotonic clock. */
  readonly seenMs: number;
  /** Failures since it last answered. */
  readonly failures: number;
};

/** Limits of a {@link Table}. */
export type TableLimits = {
  readonly bucketPeersMax: number;
  /** Failures in a row that remove a contact. */
  readonly failuresMax: number;
  /** Contacts that may wait for a place in one bucket. */
  readonly replacementsMax: number;
  /** How long a peer that was heard of is taken for alive, in milliseconds. */
  readonly freshMs: number;
  /** Leading zero bits every id here has by its work: so many of the farthest buckets can hold nobody. */
  readonly powBits: number;
  /** Places one subnet may have in a bucket; `undefined` is no limit. */
  readonly subnetPerBucketMax: number | undefined;
  /** Places one subnet may have in the table; `undefined` is no limit. */
  readonly subnetPerTableMax: number | undefined;
};

/** What a {@link Table} uses where its owner is silent. */
export const TABLE_DEFAULTS: TableLimits = {
  bucketPeersMax: BUCKET_PEERS_MAX,
  failuresMax: PING_FAILURES_MAX,
  replacementsMax: REPLACEMENTS_MAX,
  freshMs: CONTACT_FRESH_MS,
  powBits: 0,
  subnetPerBucketMax: undefined,
  subnetPerTableMax: undefined,
};

const ADDED = { do: "added" } as const;
const UPDATED = { do: "updated" } as const;
const CACHED = { do: "cached" } as const;
const REFUSED_SELF = { do: "refused", reason: "self" } as const;
const REFUSED_SUBNET = { do: "refused", reason: "subnet" } as const;
const STAYS = { removed: false } as const;

/**
 * Contacts sorted by how far they are from `self`. Only peers that proved their id on a connection belong in it:
 * a third party's word about somebody is a question to ask, not a contact to keep. Times are of a monotonic clock.
 *
 * Buckets exist once they are used and are searched one by one, 20 entries at most, so that a table costs about
 * a hundred bytes a contact and no map.
 */
export class Table<C extends Contact> {
  readonly #self: NodeId;
  readonly #limits: TableLimits;
  readonly #buckets: (Bucket<C> | undefined)[];
  /** Places a subnet has in the whole table; only kept where that is limited. */
  readonly #subnets: Map<string, number> | undefined;
  #size = 0;

  /** @param self whose neighbourhood it is; kept */
  constructor(self: NodeId, limits: Partial<TableLimits> = {}) {
    this.#self = self;
    this.#limits = { ...TABLE_DEFAULTS, ...limits };
    this.#buckets = Array(BUCKET_COUNT).fill(undefined);
    if (this.#limits.subnetPerTableMax !== undefined) {
      this.#subnets = new Map();
    }
  }

  /** Contacts with a place. Those that wait for one are not counted. */
  get size(): number {
    return this.#size;
  }

  /**
   * Notes that a peer proved its id to us just now, and says what to do. Its failures stay: a handshake costs a liar
   * nothing, and only an answer makes up for the questions left without one.
   *
   * A peer that lives keeps its place against any newcomer, because the longest known are the likeliest to
   * stay (Kademlia 2.1), and because fresh identities in any number can then evict nobody.
   */
  observe(contact: C, nowMs: number): Step<C> {
    const index = bucketIndex(this.#self, contact.id);
    if (index < 0) return REFUSED_SELF;
    const bucket = this.#bucketAt(index);
    const at = find(bucket.peers, contact.id);
    if (at >= 0) return this.#update(bucket, at, { contact, nowMs });
    if (!this.#fits(bucket.peers, contact)) return REFUSED_SUBNET;
    const head = headOf(contact.id);
    const place = { contact, head, seenMs: nowMs, failures: 0 };
    if (bucket.peers.length < this.#limits.bucketPeersMax) {
      take(bucket.waiting, contact.id);
      this.#insert(bucket, place);
      return ADDED;
    }
    if (!this.#wait(bucket, place)) return REFUSED_SUBNET;
    return this.#question(bucket, nowMs);
  }

  /** Notes that a contact answered: it is the most recently seen of its bucket, and its failures are forgotten. */
  answered(id: NodeId, nowMs: number): void {
    const bucket = this.#bucketOf(id);
    if (bucket === undefined) return;
    const list = find(bucket.peers, id) >= 0 ? bucket.peers : bucket.waiting;
    const place = take(list, id);
    if (place === undefined) return;
    place.seenMs = nowMs;
    place.failures = 0;
    list.push(place);
    settle(bucket, place);
  }

  /** Notes that a contact did not answer. As many failures in a row as allowed remove it; one that waits goes at once. */
  failed(id: NodeId): Removal<C> {
    const bucket = this.#bucketOf(id);
    const at = bucket === undefined ? -1 : find(bucket.peers, id);
    if (bucket === undefined || at < 0) {
      if (bucket !== undefined) take(bucket.waiting, id);
      return STAYS;
    }
    const place = bucket.peers[at]!;
    settle(bucket, place);
    place.failures++;
    if (place.failures < this.#limits.failuresMax) return STAYS;
    return this.#drop(bucket, at);
  }

  /** Forgets a contact: it said goodbye, or it lied. */
  remove(id: NodeId): Removal<C> {
    const bucket = this.#bucketOf(id);
    if (bucket === undefined) return STAYS;
    take(bucket.waiting, id);
    const at = find(bucket.peers, id);
    return at < 0 ? STAYS : this.#drop(bucket, at);
  }

  /** The contact of an id, if it has a place. */
  get(id: NodeId): C | undefined {
    const bucket = this.#bucketOf(id);
    return bucket?.peers[find(bucket.peers, id)]?.contact;
  }

  /**
   * The `count` contacts nearest to a target, nearest first, among those that have every capability of `want`.
   *
   * Seen from a target, whole buckets lie behind one another, so buckets are walked in that order and only
   * the few that are needed are sorted.
   */
  closest(target: NodeId, count: number, want = 0): C[] {
    const found: Place<C>[] = [];
    const head = headOf(target);
    // Twenty at most are put in their order as they come, which is faster than sorting them.
    const visit = (index: number): void => {
      const first = found.length;
      for (const place of this.#buckets[index]!.peers) {
        if (want !== 0 && (place.contact.capabilities & want) !== want) {
          continue;
        }
        const isNearer = (other: Place<C>): boolean =>
          place.head === other.head
            ? closer(target, place.contact.id, other.contact.id) < 0
            : (place.head ^ head) < (other.head ^ head);
        let at = Math.min(found.length, count - 1);
        if (at < found.length && !isNearer(found[at]!)) continue;
        while (at > first && isNearer(found[at - 1]!)) {
          found[at] = found[at - 1]!;
          at--;
        }
        found[at] = place;
      }
    };
    // A bucket's peers agree with self above its bit and differ in it. Where the target differs from self in that
    // bit too they are on the target's side, the more so the higher the bit; elsewhere they are on the far side.
    const differs = (index: number): boolean => {
      const at = target.length - 1 - (index >> 3);
      return ((target[at]! ^ this.#self[at]!) >> (index & 7) & 1) === 1;
    };
    for (let i = BUCKET_COUNT - 1; i >= 0 && found.length < count; i--) {
      if (this.#buckets[i] !== undefined && differs(i)) visit(i);
    }
    for (let i = 0; i < BUCKET_COUNT && found.length < count; i++) {
      if (this.#buckets[i] !== undefined && !differs(i)) visit(i);
    }
    return found.map(({ contact }) => contact);
  }

  /** Every contact with a place, nearest bucket first, least recently seen first within one. Do not change the table meanwhile. */
  *entries(): Generator<Entry<C>> {
    for (const bucket of this.#buckets) {
      if (bucket !== undefined) yield* bucket.peers;
    }
  }

  /**
   * Buckets in which no lookup ran for `olderThanMs`, nearest first. Left out is where nobody can be: nearer than our nearest
   * neighbour (Kademlia 2.3), and so far that an id would lack the zeros of work.
   */
  staleBuckets(nowMs: number, olderThanMs: number): number[] {
    const stale: number[] = [];
    let inhabited = false;
    for (let index = 0; index < BUCKET_COUNT - this.#limits.powBits; index++) {
      const bucket = this.#buckets[index];
      inhabited ||= bucket !== undefined && bucket.peers.length > 0;
      const touchedMs = bucket?.touchedMs ?? -Infinity;
      if (inhabited && nowMs - touchedMs >= olderThanMs) stale.push(index);
    }
    return stale;
  }

  /** Notes that a lookup for an id in this bucket ran. */
  touchBucket(index: number, nowMs: number): void {
    if (index >= 0 && index < BUCKET_COUNT) {
      this.#bucketAt(index).touchedMs = nowMs;
    }
  }

  #bucketOf(id: NodeId): Bucket<C> | undefined {
    return this.#buckets[bucketIndex(this.#self, id)];
  }

  #bucketAt(index: number): Bucket<C> {
    return this.#buckets[index] ??= emptyBucket();
  }

  #update(
    bucket: Bucket<C>,
    at: number,
    seen: { readonly contact: C; readonly nowMs: number },
  ): Step<C> {
    const place = bucket.peers[at]!;
    const { contact, nowMs } = seen;
    if (place.contact.subnet !== contact.subnet) {
      // Otherwise a peer would enter from a free subnet and move to a full one.
      if (!this.#fits(bucket.peers, contact)) return REFUSED_SUBNET;
      this.#count(place.contact.subnet, -1);
      this.#count(contact.subnet, 1);
    }
    place.contact = contact;
    place.seenMs = nowMs;
    bucket.peers.splice(at, 1);
    bucket.peers.push(place);
    settle(bucket, place);
    return UPDATED;
  }

  /** Puts a newcomer among those that wait; the longest unheard of makes room. False when its subnet waits often enough. */
  #wait(bucket: Bucket<C>, place: Place<C>): boolean {
    const { replacementsMax, subnetPerBucketMax: subnetMax } = this.#limits;
    take(bucket.waiting, place.contact.id);
    // One subnet could otherwise push all others out of the queue.
    if (subnetCount(bucket.waiting, place.contact) >= (subnetMax ?? Infinity)) {
      return false;
    }
    bucket.waiting.push(place);
    if (bucket.waiting.length > replacementsMax) bucket.waiting.shift();
    return true;
  }

  /** Whether the oldest of a full bucket is worth a ping: not while one is under way, nor just after we heard of it. */
  #question(bucket: Bucket<C>, nowMs: number): Step<C> {
    const { freshMs } = this.#limits;
    const oldest = bucket.peers[0];
    if (oldest === undefined || nowMs - oldest.seenMs < freshMs) return CACHED;
    // A ping nobody reported on is asked for again, so that a lost report cannot freeze the bucket.
    if (bucket.probed !== undefined && nowMs - bucket.probedMs < freshMs) {
      return CACHED;
    }
    bucket.probed = oldest;
    bucket.probedMs = nowMs;
    return { do: "ping", oldest: oldest.contact };
  }

  #drop(bucket: Bucket<C>, at: number): Removal<C> {
    const [place] = bucket.peers.splice(at, 1);
    settle(bucket, place!);
    this.#count(place!.contact.subnet, -1);
    this.#size--;
    for (let i = bucket.waiting.length - 1; i >= 0; i--) {
      const next = bucket.waiting[i]!;
      if (!this.#fits(bucket.peers, next.contact)) continue;
      bucket.waiting.splice(i, 1);
      this.#insert(bucket, next);
      return { removed: true, promoted: next.contact };
    }
    return { removed: true };
  }

  #insert(bucket: Bucket<C>, place: Place<C>): void {
    insertByAge(bucket.peers, place);
    this.#count(place.contact.subnet, 1);
    this.#size++;
  }

  #fits(peers: readonly Place<C>[], contact: C): boolean {
    const { subnetPerBucketMax, subnetPerTableMax } = this.#limits;
    if (contact.subnet === undefined) return true;
    if (
      subnetPerTableMax !== undefined &&
      (this.#subnets?.get(contact.subnet) ?? 0) >= subnetPerTableMax
    ) return false;
    return subnetPerBucketMax === undefined ||
      subnetCount(peers, contact) < subnetPerBucketMax;
  }

  #count(subnet: string | undefined, change: number): void {
    if (subnet === undefined || this.#subnets === undefined) return;
    const count = (this.#subnets.get(subnet) ?? 0) + change;
    // Zeroes go, or every subnet that ever came by would stay in memory.
    if (count === 0) this.#subnets.delete(subnet);
    else this.#subnets.set(subnet, count);
  }
}
