/** A systematic look at a region as a state machine: it says what to look up next, is told what was found, and knows when it has seen all. */
import {
  assert,
  keyOf,
  type NodeId,
  nodeId,
  type Random,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  NODE_ID_BYTES,
  REGION_LOOKUPS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import {
  commonBits,
  expectedWithin,
  isWithin,
  placeOf,
  type Prefix,
  prefixOf,
  siblingOf,
  type Surroundings,
} from "./region.ts";

/** What a {@link Survey} needs to start. */
export type SurveyOptions<C extends Contact> = Surroundings & {
  readonly region: Prefix;
  readonly random: Random;
  /** A lookup in the region that was done already. */
  readonly known?: { readonly target: NodeId; readonly closest: readonly C[] };
  readonly lookupsMax?: number;
};

/** In a part where fewer honest nodes are expected nobody is looked for: what all such parts of a region may hide is half a node. */
const EXPECTED_MIN = 0.25;
/** So many in such a part are a crowd: chance puts four there once in 7,000 parts, and five once in 150,000. */
const CROWD_MIN = 4;

/**
 * Finds the nodes of a region by lookups in ever smaller parts of it. A lookup of a random target names the 20 nearest to it, so everybody
 * who begins with as many bits of the target as the last of them, and one more, has been seen; the parts beside that are looked
 * into next, the largest first.
 *
 * Targets are random, so that nobody can be ground to sit next to them; and a part is split as long as an honest node is likely
 * in it. Where more sit together than chance allows, a lookup may have heard of nobody else: it is done again without them, so a
 * crowd hides only what lies between its members. A region with fewer than k nodes grows.
 *
 * What a liar names costs at most `lookupsMax` lookups.
 */
export class Survey<C extends Contact> {
  readonly #options: SurveyOptions<C>;
  readonly #lookupsMax: number;
  #region: Prefix;
  readonly #waiting: Prefix[];
  /** By target. */
  readonly #asked = new Map<string, Prefix>();
  readonly #found = new Map<string, C>();
  /** Those found in each of the smallest parts, by its bits. */
  readonly #counts = new Map<string, number>();
  readonly #crowded: Prefix[] = [];
  #lookups = 0;

  constructor(options: SurveyOptions<C>) {
    this.#options = options;
    this.#lookupsMax = options.lookupsMax ?? REGION_LOOKUPS_MAX;
    this.#region = options.region;
    this.#waiting = [options.region];
    if (options.known === undefined) return;
    const { target, closest } = options.known;
    this.#waiting.pop();
    this.#take(options.region, placeOf(target, options.powBits), closest);
  }

  /** A target to look up now; none while all that is known to be worth it is under way, and none at the end. */
  next(): NodeId | undefined {
    if (this.#lookups >= this.#lookupsMax) return undefined;
    if (this.#waiting.length === 0 && this.#asked.size === 0) this.#grow();
    const part = this.#waiting.shift();
    if (part === undefined) return undefined;
    const target = this.#targetIn(part);
    this.#asked.set(keyOf(target), part);
    this.#lookups++;
    return target;
  }

  /** Takes what a lookup found: up to k nodes that answered, nearest first. */
  answered(target: NodeId, closest: readonly C[]): void {
    const part = this.#asked.get(keyOf(target));
    assert(part !== undefined, "a survey is told of its own lookups");
    this.#asked.delete(keyOf(target));
    this.#take(part, target, closest);
  }

  /**
   * Whether further lookups of this survey should neither ask nor find somebody: whoever sits where a crowd was found. Little is lost,
   * as nobody else is looked for there; while a crowd that fills a bucket of ours, and names nobody but itself, would
   * be all that a lookup beside it ever hears of, were only those left out that were found.
   */
  isSuspect(id: NodeId): boolean {
    return this.#crowded.some((part) => isWithin(part, id));
  }

  /** Lookups it has asked for. */
  get lookupCount(): number {
    return this.#lookups;
  }

  /** What was looked at: the region given, or a larger one around it. */
  get region(): Prefix {
    return this.#region;
  }

  /** Everybody found in the region, at most k for every lookup. A fresh list in no order. */
  peers(): C[] {
    return [...this.#found.values()]
      .filter(({ id }) => isWithin(this.#region, id));
  }

  #take(part: Prefix, target: NodeId, closest: readonly C[]): void {
    const crowdedCount = this.#crowded.length;
    for (const contact of closest.slice(0, BUCKET_PEERS_MAX)) {
      const key = keyOf(contact.id);
      if (!this.#found.has(key)) this.#count(contact.id);
      this.#found.set(key, contact);
    }
    if (this.#crowded.length > crowdedCount) return this.#queue(part);
    const last = closest[BUCKET_PEERS_MAX - 1];
    // Fewer than were looked for: nobody is left.
    if (last === undefined) return;
    const { powBits } = this.#options;
    const seen = Math.max(commonBits(target, last.id), powBits) + 1;
    for (let length = part.length + 1; length <= seen; length++) {
      const beside = siblingOf(prefixOf(target, length));
      if (expectedWithin(beside, this.#options) < EXPECTED_MIN) break;
      this.#queue(beside);
    }
  }

  #count(id: NodeId): void {
    const { size, powBits } = this.#options;
    const halvings = Math.floor(Math.log2(size / EXPECTED_MIN)) + 1;
    const length = powBits + Math.max(0, halvings);
    const part = prefixOf(id, Math.min(length, 8 * NODE_ID_BYTES));
    const key = keyOf(part.bits);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count === CROWD_MIN) this.#crowded.push(part);
  }

  /** The largest parts first: so a crowd somewhere cannot use up the lookups before the rest of the region had its own. */
  #queue(part: Prefix): void {
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.length > part.length) at--;
    this.#waiting.splice(at, 0, part);
  }

  /** Goes on in the half beside it when too few are there: the k nearest of a key must be among those found. */
  #grow(): void {
    const { length } = this.#region;
    if (length <= this.#options.powBits) return;
    if (this.peers().length >= BUCKET_PEERS_MAX) return;
    this.#queue(siblingOf(this.#region));
    this.#region = prefixOf(this.#region.bits, length - 1);
  }

  #targetIn(part: Prefix): NodeId {
    const drawn = this.#options.random.bytes(NODE_ID_BYTES);
    const whole = part.length >> 3;
    drawn.set(part.bits.subarray(0, whole));
    if (whole < NODE_ID_BYTES) {
      const free = 0xff >> (part.length & 7);
      drawn[whole] = (part.bits[whole]! & ~free) | (drawn[whole]! & free);
    }
    return nodeId(drawn);
  }
}
