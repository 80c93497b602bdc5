/**
 * An iterative lookup as a state machine (Kademlia 2.3): it says whom to ask next, is told what came of it, and knows
 * when it is over. Whoever runs it asks the questions, checks the answers and keeps the deadlines.
 */
import { assert, equal, keyOf, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PARALLEL,
  LOOKUP_QUESTIONS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
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
  /** Questions in all, and contacts remembered for asking. */
  readonly questionsMax?: number;
  /** Capability bits every result must have. Contacts without them are asked for directions only. */
  readonly want?: number;
  /** Ids never to ask nor to find: our own, and those known to be of no use. */
  readonly exclude?: readonly NodeId[];
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

/**
 * Which contacts the paths of one lookup asked, so that no two ask the same: a liar on one path then leads astray
 * that path alone (S/Kademlia 4.4). Give the same object to every path; the lookup is over when all of them are, and its
 * result is the nearest of theirs together.
 */
export class Claims {
  readonly #asked = new Set<string>();
  readonly #failed = new Set<string>();

  /** Takes the right to ask a contact. False when another path has it. */
  claim(id: NodeId): boolean {
    const key = keyOf(id);
    if (this.#asked.has(key)) return false;
    this.#asked.add(key);
    return true;
  }

  /** Notes that a claimed contact did not answer. */
  fail(id: NodeId): void {
    this.#failed.add(keyOf(id));
  }

  /** Who has asked this contact, from the view of a path that has not. */
  standing(id: NodeId): "free" | "taken" | "failed" {
    const key = keyOf(id);
    if (this.#failed.has(key)) return "failed";
    return this.#asked.has(key) ? "taken" : "free";
  }
}

type Known<C extends Contact> = {
  readonly contact: C;
  readonly from: NodeId | undefined;
  readonly depth: number;
  state: Outcome | "waiting";
  learnedCount: number;
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
  readonly #questionsMax: number;
  readonly #want: number;
  readonly #exclude: readonly NodeId[];
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
    const { target, seeds, exclude = [], claimed, ...limits } = options;
    const settled = { ...LOOKUP_DEFAULTS, ...limits };
    assert(
      settled.count >= 1 && settled.parallel >= 1 && settled.questionsMax >= 1,
      "a lookup may ask somebody for something",
    );
    this.#target = target;
    this.#count = settled.count;
    this.#parallel = settled.parallel;
    this.#questionsMax = settled.questionsMax;
    this.#want = settled.want;
    this.#exclude = exclude;
    this.#claimed = claimed;
    for (const seed of seeds) this.#learn(seed, undefined);
  }

  /** Contacts to ask now, nearest first; none once it is over. They count as in flight until `answered`, `failed` or `late` is told. */
  next(): C[] {
    const ask: C[] = [];
    if (this.done) return ask;
    // Wide enough to ask in parallel for a single result, too; and who is late does not hold a place.
    for (
      const known of this.#window(Math.max(this.#count, this.#parallel), "late")
    ) {
      if (this.#askedCount >= this.#parallel) break;
      if (this.#questions.length >= this.#questionsMax) break;
      if (known.state !== "waiting") continue;
      if (this.#claimed?.claim(known.contact.id) === false) continue;
      known.state = "asked";
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
   */
  answered(id: NodeId, contacts: readonly C[]): void {
    const known = this.#close(id, "answered");
    if (known === undefined) return;
    const honest = Math.max(this.#count, BUCKET_PEERS_MAX);
    for (const contact of contacts.slice(0, honest)) {
      if (this.#learn(contact, known)) known.learnedCount++;
    }
  }

  /** Notes that a contact did not answer, or answered what no honest peer would. */
  failed(id: NodeId): void {
    if (this.#close(id, "failed") !== undefined) this.#claimed?.fail(id);
  }

  /** Notes that an answer takes long: the next question may start beside it, and it is still welcome. */
  late(id: NodeId): void {
    const { at, found } = this.#find(id);
    const known = found ? this.#known[at] : undefined;
    if (known?.state !== "asked") return;
    known.state = "late";
    this.#askedCount--;
    this.#lateCount++;
  }

  /** Whether every open question is late: nothing else can be learned by waiting for it. */
  get onlyLate(): boolean {
    return this.#askedCount === 0 && this.#lateCount > 0;
  }

  /** Whether it is over: nothing more is worth asking, or the questions are used up and none is open. */
  get done(): boolean {
    const open = this.#askedCount + this.#lateCount;
    if (open === 0 && this.#questions.length >= this.#questionsMax) return true;
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
    const found: C[] = [];
    for (const { state, contact } of this.#known) {
      if (found.length >= this.#count) break;
      if (state === "answered" && this.#wanted(contact)) found.push(contact);
    }
    return found;
  }

  /** Hops to the nearest result: 1 when it was in our own table, 0 when there is none. */
  get hops(): number {
    return this.#known.find(({ state, contact }) =>
      state === "answered" && this.#wanted(contact)
    )?.depth ?? 0;
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

  /** The nearest contacts in order that have not failed, until `size` of them are wanted ones; those in state `apart` do not count. */
  *#window(size: number, apart?: "late"): Generator<Known<C>> {
    let count = 0;
    for (const known of this.#known) {
      if (count >= size) return;
      const { state, contact } = known;
      if (state === "failed") continue;
      const elsewhere = state === "waiting" &&
        this.#claimed?.standing(contact.id) === "failed";
      if (elsewhere) continue;
      yield known;
      if (this.#wanted(contact) && state !== apart) count++;
    }
  }

  /** Whether everybody in the window has answered, here or on another path. */
  #settled(): boolean {
    for (const { state, contact } of this.#window(this.#count)) {
      if (state === "asked" || state === "late") return false;
      if (state !== "waiting") continue;
      if (this.#claimed?.standing(contact.id) !== "taken") return false;
    }
    return true;
  }

  #wanted(contact: C): boolean {
    return (contact.capabilities & this.#want) === this.#want;
  }

  /** Keeps a contact that is new to us. @returns whether it is */
  #learn(contact: C, from: Known<C> | undefined): boolean {
    if (this.#exclude.some((id) => equal(id, contact.id))) return false;
    const { at, found } = this.#find(contact.id);
    if (found) return false;
    this.#known.splice(at, 0, {
      contact,
      from: from?.contact.id,
      depth: (from?.depth ?? 0) + 1,
      state: "waiting",
      learnedCount: 0,
    });
    this.#waitingCount++;
    return this.#waitingCount <= this.#questionsMax || !this.#forget(contact);
  }

  /**
   * Forgets the farthest contact that waits: there are as many nearer ones as there can be questions, so it would never
   * be asked. @returns whether that was the one given
   */
  #forget(contact: C): boolean {
    const at = this.#known.findLastIndex(({ state }) => state === "waiting");
    const [forgotten] = this.#known.splice(at, 1);
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
