/** One lookup over several paths that share nobody, so that a liar leads astray one of them at most (S/Kademlia 4.4). */
import { assert, keyOf, type NodeId } from "@tesseras/core";
import {
  LOOKUP_IN_FLIGHT_MAX,
  LOOKUP_NEAREST,
  LOOKUP_OVERTAKEN_SHARE,
  LOOKUP_PATHS_MAX,
  LOOKUP_QUESTIONS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { Claims } from "./claims.ts";
import { Crowd } from "./crowd.ts";
import { closer } from "./distance.ts";
import { shareWithin } from "./estimate.ts";
import {
  Lookup,
  LOOKUP_DEFAULTS,
  type LookupOptions,
  type Question,
} from "./lookup.ts";
import type { Surroundings } from "./region.ts";

/** What {@link Paths} need to start: as a {@link Lookup}, where `questionsMax` is for all paths together. */
export type PathsOptions<C extends Contact> =
  & Omit<LookupOptions<C>, "claimed" | "sweepParallel" | "near" | "heardMin">
  & {
    /** What is known of the network, so that whoever is likely to be among the nearest is asked as soon as it is heard of. */
    readonly surroundings?: Surroundings | undefined;
    /** How many of the nearest may be left out for being slow; a fifth of `count` unless given. */
    readonly overtakenMax?: number | undefined;
    /** Paths at most; one needs a seed of its own. `LOOKUP_PATHS_MAX` unless given. */
    readonly pathsMax?: number;
  };

/** A question, and the path it was asked on: 0 for the one that began with the nearest seed. */
export type PathQuestion = Question & { readonly path: number };

/**
 * Finds the contacts nearest to a target over paths that ask nobody twice. Seeds are dealt out in turn, nearest first, so
 * that every path begins about equally near and no contact of our table is on two of them. What a path hears it keeps to
 * itself; a contact another path has asked is left to that path. The result is the nearest of all paths together, and it is over
 * when all of them are.
 *
 * Each path asks `parallel` at once on its way, and when one has reached the neighbourhood it asks the rest of it in one go; and
 * whoever is so near that few can be nearer, as a node knows from how large the network is, is asked as soon as anybody names
 * it. A lookup then costs its hops and one round more, however many must answer. Beside the late, no more than
 * `LOOKUP_IN_FLIGHT_MAX` are in flight, or `parallel` a path if that is more.
 *
 * The slow do not set the pace: it is over when `count` have answered, `LOOKUP_NEAREST` of the nearest to each path among them,
 * and no more than `overtakenMax` nearer ones have yet to. A path asks its `LOOKUP_NEAREST` in any case, and beyond those
 * nobody who is farther than `count` that have answered on whichever path: those who are merely named hide nobody.
 *
 * @example
 * ```ts
 * import { nodeId } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * const seeds = [1, 2, 3].map((byte) => ({
 *   id: nodeId(new Uint8Array(20).fill(byte)),
 *   capabilities: 0,
 * }));
 * const paths = new Paths({ target: nodeId(new Uint8Array(20)), seeds });
 * assertEquals(paths.next(), seeds);
 * for (const { id } of seeds) paths.answered(id, []);
 * assertEquals([paths.done, paths.closest()], [true, seeds]);
 * assertEquals(paths.trace.map(({ path }) => path), [0, 1, 2]);
 * ```
 */
export class Paths<C extends Contact> {
  readonly #target: NodeId;
  readonly #count: number;
  readonly #subnetMax: number | undefined;
  readonly #inFlightMax: number;
  readonly #overtakenMax: number;
  readonly #claimed = new Claims();
  readonly #paths: readonly Lookup<C>[];
  /** Which path asked a contact, in order of asking. At most `questionsMax`, as every path has its share of them. */
  readonly #askers = new Map<string, number>();

  constructor(options: PathsOptions<C>) {
    const {
      pathsMax = LOOKUP_PATHS_MAX,
      seeds,
      surroundings,
      overtakenMax,
      ...common
    } = options;
    assert(pathsMax >= 1, "a lookup takes a path");
    const { target, count = LOOKUP_DEFAULTS.count } = options;
    this.#target = target;
    this.#count = count;
    this.#subnetMax = options.subnetMax;
    const nearest = seeds.toSorted((a, b) => closer(target, a.id, b.id));
    const pathCount = Math.min(pathsMax, Math.max(1, seeds.length));
    const share = (whole: number): number => Math.ceil(whole / pathCount);
    const { parallel = LOOKUP_DEFAULTS.parallel } = options;
    this.#inFlightMax = Math.max(LOOKUP_IN_FLIGHT_MAX, pathCount * parallel);
    this.#overtakenMax = overtakenMax ??
      Math.floor(LOOKUP_OVERTAKEN_SHARE * count);
    const reach = count + this.#overtakenMax;
    const near = nearOf(target, reach, surroundings);
    this.#paths = Array.from({ length: pathCount }, (_, path) =>
      new Lookup({
        ...common,
        seeds: nearest.filter((_, i) => i % pathCount === path),
        // A path led astray must not use up the questions of the others.
        questionsMax: share(options.questionsMax ?? LOOKUP_QUESTIONS_MAX),
        // Twice an even share, because the path that arrives first finds most of the neighbourhood unasked.
        sweepParallel: Math.max(
          parallel,
          share(2 * Math.min(reach, LOOKUP_IN_FLIGHT_MAX)),
        ),
        ...(near && { near }),
        heardMin: LOOKUP_NEAREST,
        claimed: this.#claimed,
      }));
  }

  /** Contacts to ask now; none once it is over. They count as in flight until `answered`, `failed` or `late` is told. */
  next(): C[] {
    let room = this.#inFlightMax;
    for (const { inFlight } of this.#paths) room -= inFlight;
    return this.#paths.flatMap((path, index) => {
      const asked = path.next(room);
      room -= asked.length;
      for (const { id } of asked) this.#askers.set(keyOf(id), index);
      return asked;
    });
  }

  /** Takes an answer for the path that asked. Nobody else is heard, as in {@link Lookup.answered}. */
  answered(id: NodeId, contacts: readonly C[], met?: C): void {
    this.#pathOf(id)?.answered(id, contacts, met);
    this.#claimed.horizon = this.closest()[this.#count - 1]?.id;
  }

  /** As {@link Lookup.failed}. */
  failed(id: NodeId): void {
    this.#pathOf(id)?.failed(id);
  }

  /** As {@link Lookup.late}. */
  late(id: NodeId): void {
    this.#pathOf(id)?.late(id);
  }

  /** Whether every open question of all paths is late: nothing else can be learned by waiting for it. */
  get onlyLate(): boolean {
    return this.#paths.some((path) => path.onlyLate) &&
      this.#paths.every((path) => path.onlyLate || path.openCount === 0);
  }

  /** Questions that are open, the late ones included. When it is over, those who were overtaken. */
  get openCount(): number {
    return this.#paths.reduce((sum, { openCount }) => sum + openCount, 0);
  }

  /** Whether all paths are over, and nobody whose answer is open must be waited for. */
  get done(): boolean {
    return this.#paths.every((path) => path.done) && this.#hasOvertaken();
  }

  /** Whether the nearest known to every path have answered. False at the end means that the questions did not suffice. */
  get converged(): boolean {
    return this.done && this.#paths.every((path) => path.converged);
  }

  /** Those that answered on any path and have what is wanted: at most `count`, nearest first, subnets limited. */
  closest(): C[] {
    return this.#nearestOf(this.#paths.flatMap((path) => path.closest()));
  }

  /** Hops to the nearest result: 1 when it was in our own table, 0 when there is none. */
  get hops(): number {
    const [nearest] = this.closest();
    const path = nearest && this.#pathOf(nearest.id);
    return path?.hops ?? 0;
  }

  /** Contacts remembered by all paths together. */
  get knownCount(): number {
    return this.#paths.reduce((sum, path) => sum + path.knownCount, 0);
  }

  /** Every question so far in order of asking. A fresh list. */
  get trace(): readonly PathQuestion[] {
    const traces = this.#paths.map((path) => path.trace);
    const at = this.#paths.map(() => 0);
    return Array.from(
      this.#askers.values(),
      (path) => ({ ...traces[path]![at[path]!++]!, path }),
    );
  }

  /** Whether enough have answered to end without those who are open: of the nearest none is, and of the others a few. */
  #hasOvertaken(): boolean {
    const open = this.#paths.flatMap((path) => path.asked("asked", "late"));
    if (open.length === 0) return true;
    const found = this.closest();
    const [near, far] = [found[LOOKUP_NEAREST - 1], found[this.#count - 1]];
    if (near === undefined || far === undefined) return false;
    const before = (end: C): number =>
      open.filter(({ id }) => closer(this.#target, id, end.id) < 0).length;
    return before(near) === 0 && before(far) <= this.#overtakenMax;
  }

  /** At most `count`, nearest first, subnets limited. Sorts the list it is given. */
  #nearestOf(contacts: C[]): C[] {
    const crowd = new Crowd(this.#subnetMax);
    return contacts.sort((a, b) => closer(this.#target, a.id, b.id))
      .filter((contact) => crowd.admits(contact, true))
      .slice(0, this.#count);
  }

  #pathOf(id: NodeId): Lookup<C> | undefined {
    const path = this.#askers.get(keyOf(id));
    return path === undefined ? undefined : this.#paths[path];
  }
}

/** Whether an id is likely to be one of so many that are nearest to a target. */
function nearOf(
  target: NodeId,
  count: number,
  surroundings: Surroundings | undefined,
): ((id: NodeId) => boolean) | undefined {
  if (surroundings === undefined) return undefined;
  const { size, powBits } = surroundings;
  return (id) => shareWithin(target, id, powBits) * size < count;
}
