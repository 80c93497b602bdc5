/**
 * An iterative lookup as a state machine (Kademlia 2.3): it says whom to ask next, is told what came of it, and knows
 * when it is over. Whoever runs it asks the questions, checks the answers and keeps the deadlines.
 */
import { assert, equal, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  LOOKUP_QUESTIONS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import type { Claim, Claims } from "./claims.ts";
import { Crowd } from "./crowd.ts";
import { closer } from "./distance.ts";

/** What a {@link Lookup} needs to start. */
export type LookupOptions<C extends Contact> = {
  readonly target: NodeId;
  /** Contacts of our own table; each is one hop away. */
  readonly seeds: readonly C[];
  /** How many contacts to find. */
  readonly count?: number;
  /** Questions in flight at once; late ones do not count. */
  readonly parallel?: number;
  /**
   * Questions in flight once the nearest known has answered: nobody named a nearer one, and all that is left is to hear
   * everybody near it (Kademlia 2.3: "resends to all of the k closest nodes it has not already queried"). As
   * `parallel` unless given.
   */
  readonly sweepParallel?: number;
  /** Whether an id is likely to be among the nearest of all: it is asked at once, as in a sweep. Nobody is unless given. */
  readonly near?: (id: NodeId) => boolean;
  /** Of the nearest that have not failed, how many must have answered before it ends, on whichever path. All unless given. */
  readonly heardMin?: number;
  /** Questions in all, and contacts remembered for asking. */
  readonly questionsMax?: number;
  /** Capability bits every result must have. Contacts without them are asked for directions only. */
  readonly want?: number;
  /** Ids never to ask nor to find: our own, and those known to be of no use. */
  readonly exclude?: (id: NodeId) => boolean;
  /** Contacts of one subnet among those asked and those found; `undefined` is no limit. */
  readonly subnetMax?: number | undefined;
  /** What the other paths of the same lookup asked. See {@link Claims}. */
  readonly claimed?: Claims;
};

/** What a {@link Lookup} uses where its options are silent. */
export const LOOKUP_DEFAULTS = {
  count: BUCKET_PEERS_MAX,
  parallel: LOOKUP_PARALLEL,
  questionsMax: LOOKUP_QUESTIONS_MAX,
  want: 0,
} as const;

/** How a question ended, or that it has not. */
export type Outcome = "asked" | "late" | "answered" | "failed";

/** One question of a lookup. */
export type Question = {
  readonly id: NodeId;
  /** Who told us of it; `undefined` for our own table. */
  readonly from: NodeId | undefined;
  /** Hops from us: 1 for a seed, one more than whoever told us of it. */
  readonly depth: number;
  readonly outcome: Outcome;
  /** Contacts its answer gave that we did not know. */
  readonly learnedCount: number;
};

type Known<C extends Contact> = {
  contact: C;
  readonly from: NodeId | undefined;
  readonly depth: number;
  readonly isNear: boolean;
  state: Outcome | "waiting";
  learnedCount: number;
  /** Ours and the other paths'; `undefined` before anybody looked at it, and where there are no other paths. */
  claim: Claim | undefined;
};

/**
 * Finds the contacts nearest to a target. It ends when the `count` nearest that are known, failures apart, have
 * answered, or when nothing is left to ask; a plausible answer on the way never ends it, because that is how a liar
 * would hide what others know.
 *
 * Contacts handed to it are verified by its owner, address included, so a third party can name dead peers, not false ones.
 *
 * @example
 * ```ts
 * import { nodeId } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * const seed = { id: nodeId(new Uint8Array(20).fill(1)), capabilities: 0 };
 * const lookup = new Lookup({ target: nodeId(new Uint8Array(20)), seeds: [seed] });
 * assertEquals(lookup.next(), [seed]);
 * lookup.answered(seed.id, []);
 * assertEquals([lookup.done, lookup.closest()], [true, [seed]]);
 * ```
 */
export class Lookup<C extends Contact> {
  readonly #target: NodeId;
  readonly #count: number;
  readonly #parallel: number;
  readonly #sweepParallel: number;
  readonly #heardMin: number;
  readonly #near: ((id: NodeId) => boolean) | undefined;
  readonly #questionsMax: number;
  readonly #want: number;
  readonly #exclude: ((id: NodeId) => boolean) | undefined;
  readonly #subnetMax: number | undefined;
  readonly #claimed: Claims | undefined;
  /** Nearest first. Ids are found by bisection, since no two have the same distance. */
  readonly #known: Known<C>[] = [];
  /** In order of asking. */
  readonly #questions: Known<C>[] = [];
  #waitingCount = 0;
  #askedCount = 0;
  #lateCount = 0;
  #hasForgotten = false;

  constructor(options: LookupOptions<C>) {
    const { target, seeds, exclude, claimed, ...limits } = options;
    const settled = { ...LOOKUP_DEFAULTS, ...limits };
    assert(
      settled.count >= 1 && settled.parallel >= 1 && settled.questionsMax >= 1,
      "a lookup may ask somebody for something",
    );
    this.#target = target;
    this.#count = settled.count;
    this.#parallel = settled.parallel;
    this.#sweepParallel = options.sweepParallel ?? settled.parallel;
    this.#heardMin = options.heardMin ?? Infinity;
    this.#near = options.near;
    this.#questionsMax = settled.questionsMax;
    this.#want = settled.want;
    this.#exclude = exclude;
    this.#subnetMax = options.subnetMax;
    this.#claimed = claimed;
    for (const seed of seeds) this.#learn(seed, undefined);
  }

  /**
   * Contacts to ask now, nearest first, `most` at most; none once it is over. They count as in flight until `answered`, `failed` or
   * `late` is told.
   */
  next(most = Infinity): C[] {
    const ask: C[] = [];
    if (this.done) return ask;
    const inFlightMax = this.#sweeps() ? this.#sweepParallel : this.#parallel;
    let rank = 0;
    // Wide enough to ask in parallel for a single result, too; and who is late does not hold a place.
    for (
      const known of this.#window(Math.max(this.#count, this.#parallel), "late")
    ) {
      const isRoom = this.#askedCount <
        (known.isNear ? this.#sweepParallel : inFlightMax);
      if (!isRoom || ask.length >= most) break;
      if (this.#questions.length >= this.#questionsMax) break;
      const fate = this.#fateOf(known);
      const at = fate === "late" ? rank : rank++;
      if (fate !== "waiting" || !this.#isWorthAsking(known, at)) continue;
      known.state = "asked";
      if (known.claim !== undefined) known.claim.standing = "taken";
      this.#waitingCount--;
      this.#askedCount++;
      this.#questions.push(known);
      ask.push(known.contact);
    }
    return ask;
  }

  /**
   * Takes an answer. Of a long one only as many contacts are looked at as an honest peer would name; who was not asked,
   * or was reported on already, is not heard.
   *
   * @param met the contact as it was met, when that differs from what was said of it
   */
  answered(id: NodeId, contacts: readonly C[], met?: C): void {
    const known = this.#close(id, "answered");
    if (known === undefined) return;
    if (known.claim !== undefined) known.claim.standing = "answered";
    if (met !== undefined && equal(met.id, id)) known.contact = met;
    const honest = Math.max(this.#count, BUCKET_PEERS_MAX);
    for (const contact of contacts.slice(0, honest)) {
      if (this.#learn(contact, known)) known.learnedCount++;
    }
  }

  /** Notes that a contact did not answer, or answered what no honest peer would. */
  failed(id: NodeId): void {
    const claim = this.#close(id, "failed")?.claim;
    if (claim !== undefined) claim.standing = "failed";
  }

  /** Notes that an answer takes long: the next question may start beside it, and it is still welcome. */
  late(id: NodeId): void {
    const { at, found } = this.#find(id);
    const known = found ? this.#known[at] : undefined;
    if (known?.state !== "asked") return;
    known.state = "late";
    if (known.claim !== undefined) known.claim.standing = "late";
    this.#askedCount--;
    this.#lateCount++;
  }

  /** Whether every open question is late: nothing else can be learned by waiting for it. */
  get onlyLate(): boolean {
    return this.#askedCount === 0 && this.#lateCount > 0;
  }

  /** Questions in flight, late ones apart. */
  get inFlight(): number {
    return this.#askedCount;
  }

  /** Questions that are open, the late ones included. */
  get openCount(): number {
    return this.#askedCount + this.#lateCount;
  }

  /** Whoever was asked, where the question stands in one of these ways, in order of asking. A fresh list. */
  asked(...ways: readonly Outcome[]): C[] {
    return this.#questions
      .filter(({ state }) => state !== "waiting" && ways.includes(state))
      .map(({ contact }) => contact);
  }

  /** Whether it is over: nothing more is worth asking, or the questions are used up and none is open. */
  get done(): boolean {
    const { length } = this.#questions;
    if (this.openCount === 0 && length >= this.#questionsMax) return true;
    return this.#settled();
  }

  /** Whether the nearest known have all answered. False at the end means that the questions did not suffice. */
  get converged(): boolean {
    if (!this.#settled()) return false;
    // Short of results after forgetting some, there were others to ask.
    return !this.#hasForgotten || this.closest().length >= this.#count;
  }

  /** Those that answered and have what is wanted: at most `count`, nearest first. */
  closest(): C[] {
    return this.#results().map(({ contact }) => contact);
  }

  /** Hops to the nearest result: 1 when it was in our own table, 0 when there is none. */
  get hops(): number {
    return this.#results()[0]?.depth ?? 0;
  }

  /** Contacts remembered: at most `questionsMax` that were asked and as many that wait. */
  get knownCount(): number {
    return this.#known.length;
  }

  /** Every question so far in order of asking, at most `questionsMax`. A fresh list. */
  get trace(): readonly Question[] {
    return this.#questions.map((known) => ({
      id: known.contact.id,
      from: known.from,
      depth: known.depth,
      outcome: known.state === "waiting" ? "asked" : known.state,
      learnedCount: known.learnedCount,
    }));
  }

  #results(): readonly Known<C>[] {
    const found: Known<C>[] = [];
    const crowd = new Crowd(this.#subnetMax);
    for (const known of this.#known) {
      if (found.length >= this.#count) break;
      if (known.state !== "answered" || !this.#wanted(known.contact)) continue;
      if (crowd.admits(known.contact, true)) found.push(known);
    }
    return found;
  }

  /** Whether the nearest of those left to us and not late has answered. */
  #sweeps(): boolean {
    for (const known of this.#window(this.#count, "late")) {
      if (known.state === "answered") return true;
      const fate = this.#fateOf(known);
      if (fate === "waiting" || fate === "asked") return false;
    }
    return false;
  }

  /** What has become of a contact, here or on another path. */
  #fateOf(known: Known<C>): Outcome | "waiting" | "taken" {
    if (known.state !== "waiting") return known.state;
    known.claim ??= this.#claimed?.of(known.contact.id);
    const standing = known.claim?.standing ?? "free";
    return standing === "free" ? "waiting" : standing;
  }

  /** The nearest contacts in order that have not failed, until `size` of them are wanted ones; those that are `apart` do not count. */
  *#window(size: number, apart?: "late"): Generator<Known<C>> {
    let count = 0;
    const crowd = new Crowd(this.#subnetMax);
    for (const known of this.#known) {
      if (count >= size) return;
      const fate = this.#fateOf(known);
      if (fate === "failed") continue;
      const wanted = this.#wanted(known.contact);
      const counts = fate !== apart;
      if (counts && !crowd.admits(known.contact, wanted)) continue;
      yield known;
      if (wanted && counts) count++;
    }
  }

  /** Whether the nearest have answered, and nobody else in the window is left to ask. */
  #settled(): boolean {
    let rank = 0;
    // Whoever is late leaves their place to the next, who is asked before it is over.
    for (const known of this.#window(this.#count, "late")) {
      const fate = this.#fateOf(known);
      if (fate === "waiting") {
        if (this.#isWorthAsking(known, rank)) return false;
      } else if (fate !== "answered" && rank < this.#heardMin) return false;
      rank++;
    }
    return true;
  }

  /** The nearest always are; the others unless enough nearer ones have answered on the paths together. */
  #isWorthAsking({ contact }: Known<C>, rank: number): boolean {
    const horizon = this.#claimed?.horizon;
    return rank < this.#heardMin || horizon === undefined ||
      closer(this.#target, contact.id, horizon) < 0;
  }

  #wanted(contact: C): boolean {
    return (contact.capabilities & this.#want) === this.#want;
  }

  /** Keeps a contact that is new to us. @returns whether it is */
  #learn(contact: C, from: Known<C> | undefined): boolean {
    if (this.#exclude?.(contact.id)) return false;
    const { at, found } = this.#find(contact.id);
    if (found) return false;
    this.#known.splice(at, 0, {
      contact,
      from: from?.contact.id,
      depth: (from?.depth ?? 0) + 1,
      isNear: this.#near?.(contact.id) ?? false,
      state: "waiting",
      learnedCount: 0,
      claim: undefined,
    });
    this.#waitingCount++;
    return this.#waitingCount <= this.#questionsMax || !this.#forget(contact);
  }

  /**
   * Forgets the farthest contact that waits: there are as many nearer ones as there can be questions, so it would never
   * be asked. One whose subnet is crowded goes first, or a crowd would push out those who are asked in its
   * place. @returns whether that was the one given
   */
  #forget(contact: C): boolean {
    const crowd = new Crowd(this.#subnetMax);
    let at = -1, crowdedAt = -1;
    for (const [i, { state, contact: known }] of this.#known.entries()) {
      if (state === "failed") continue;
      const isCrowded = !crowd.admits(known, this.#wanted(known));
      if (state !== "waiting") continue;
      at = i;
      if (isCrowded) crowdedAt = i;
    }
    const [forgotten] = this.#known.splice(crowdedAt < 0 ? at : crowdedAt, 1);
    this.#waitingCount--;
    this.#hasForgotten = true;
    return forgotten?.contact === contact;
  }

  /** Ends a question that is open. */
  #close(id: NodeId, outcome: "answered" | "failed"): Known<C> | undefined {
    const { at, found } = this.#find(id);
    const known = found ? this.#known[at] : undefined;
    if (known?.state === "asked") this.#askedCount--;
    else if (known?.state === "late") this.#lateCount--;
    else return undefined;
    known.state = outcome;
    return known;
  }

  /** Where an id is, or would be. */
  #find(id: NodeId): { readonly at: number; readonly found: boolean } {
    let low = 0, high = this.#known.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = closer(this.#target, this.#known[middle]!.contact.id, id);
      if (order === 0) return { at: middle, found: true };
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return { at: low, found: false };
  }
}
