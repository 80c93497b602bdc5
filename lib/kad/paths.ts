/** One lookup over several paths that share nobody, so that a liar leads astray one of them at most (S/Kademlia 4.4). */
import { assert, keyOf, type NodeId } from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_IN_FLIGHT_MAX,
  LOOKUP_PATHS_MAX,
  LOOKUP_QUESTIONS_MAX,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { Claims } from "./claims.ts";
import { Crowd } from "./crowd.ts";
import { closer } from "./distance.ts";
import {
  Lookup,
  LOOKUP_DEFAULTS,
  type LookupOptions,
  type Question,
} from "./lookup.ts";

/** What {@link Paths} need to start: as a {@link Lookup}, where `questionsMax` is for all paths together. */
export type PathsOptions<C extends Contact> =
  & Omit<LookupOptions<C>, "claimed" | "sweepParallel">
  & {
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
 * Each path asks `parallel` at once on its way, and when one has reached the neighbourhood it asks the rest of it in one go: a
 * lookup then costs its hops and one round more, however many must answer. Beside the late, no more than
 * `LOOKUP_IN_FLIGHT_MAX` are in flight, or `parallel` a path if that is more.
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
  readonly #paths: readonly Lookup<C>[];
  /** Which path asked a contact, in order of asking. At most `questionsMax`, as every path has its share of them. */
  readonly #askers = new Map<string, number>();

  constructor(options: PathsOptions<C>) {
    const { pathsMax = LOOKUP_PATHS_MAX, seeds, ...common } = options;
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
    const claimed = new Claims();
    this.#paths = Array.from({ length: pathCount }, (_, path) =>
      new Lookup({
        ...common,
        seeds: nearest.filter((_, i) => i % pathCount === path),
        // A path led astray must not use up the questions of the others.
        questionsMax: share(options.questionsMax ?? LOOKUP_QUESTIONS_MAX),
        // Twice an even share, because the path that arrives first finds most of the neighbourhood unasked.
        sweepParallel: Math.max(
          parallel,
          share(2 * Math.min(count, BUCKET_PEERS_MAX)),
        ),
        claimed,
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

  /** Whether all paths are over. */
  get done(): boolean {
    return this.#paths.every((path) => path.done);
  }

  /** Whether the nearest known to every path have all answered. False at the end means that the questions did not suffice. */
  get converged(): boolean {
    return this.#paths.every((path) => path.converged);
  }

  /** Those that answered on any path and have what is wanted: at most `count`, nearest first, subnets limited. */
  closest(): C[] {
    const crowd = new Crowd(this.#subnetMax);
    return this.#paths.flatMap((path) => path.closest())
      .sort((a, b) => closer(this.#target, a.id, b.id))
      .filter((contact) => crowd.admits(contact, true))
      .slice(0, this.#count);
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

  #pathOf(id: NodeId): Lookup<C> | undefined {
    const path = this.#askers.get(keyOf(id));
    return path === undefined ? undefined : this.#paths[path];
  }
}
