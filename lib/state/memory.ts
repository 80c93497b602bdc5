/** State in memory, for simulations and tests: the same rules as the database, and one seed gives one history. */
import {
  compare,
  type Hash,
  keyOf,
  type NodeId,
  parseHash,
  type TesseraId,
  throwIfAborted,
} from "@tesseras/core";
import { holdingsOf, storedBytesOf } from "./memory_holdings.ts";
import { MemoryPointers } from "./memory_pointers.ts";
import {
  checkFile,
  checkFragment,
  checkPeer,
  checkPlacement,
  checkPublication,
  checkTessera,
  checkText,
  copied,
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  type PeerRow,
  type PlacementRow,
  planAbsent,
  type PlanRow,
  type PointerKey,
  type PointerRow,
  prefixRange,
  type PublicationRow,
  type TesseraRow,
} from "./rows.ts";
import type { State } from "./state.ts";

/** {@link State} that lives as long as the process. */
export class MemoryState implements State {
  readonly #tesseras = new Map<string, TesseraRow>();
  readonly #files = new Map<string, readonly FileRow[]>();
  readonly #plans = new Map<string, PlanRow>();
  readonly #fragments = new Map<string, FragmentRow>();
  readonly #placements = new Map<string, PlacementRow>();
  readonly #publications = new Map<string, PublicationRow>();
  readonly #pointers = new MemoryPointers();
  readonly #peers = new Map<string, PeerRow>();
  readonly #values = new Map<string, Uint8Array>();
  readonly #references = new Map<string, number>();

  addTessera(
    row: TesseraRow,
    files: readonly FileRow[],
    signal: AbortSignal,
  ): Promise<"added" | "exists"> {
    return step(signal, () => {
      checkTessera(row);
      for (const file of files) checkFile(file);
      const key = keyOf(row.id);
      if (this.#tesseras.has(key)) return "exists";
      this.#tesseras.set(key, copied(row));
      this.#files.set(key, files.map(copied));
      this.#refer(row.manifest, 1);
      for (const file of files) this.#refer(file.hash, 1);
      return "added";
    });
  }

  tessera(id: TesseraId, signal: AbortSignal): Promise<TesseraRow | undefined> {
    return step(signal, () => this.#tesseras.get(keyOf(id)));
  }

  tesseras(signal: AbortSignal): Promise<readonly TesseraRow[]> {
    return step(
      signal,
      () =>
        [...this.#tesseras.values()].sort((a, b) =>
          b.addedAtMs - a.addedAtMs || compare(a.id, b.id)
        ),
    );
  }

  tesserasByPrefix(
    hexPrefix: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TesseraId[]> {
    return step(signal, () => {
      const { first, last } = prefixRange(hexPrefix);
      return [...this.#tesseras]
        .filter(([key]) => key >= first && key <= last)
        .map(([, row]) => row.id).sort(compare).slice(0, limit);
    });
  }

  filesOf(id: TesseraId, signal: AbortSignal): Promise<readonly FileRow[]> {
    return step(signal, () => [...this.#files.get(keyOf(id)) ?? []]);
  }

  removeTessera(id: TesseraId, signal: AbortSignal): Promise<readonly Hash[]> {
    return step(signal, () => {
      const key = keyOf(id);
      const released = new Set<string>();
      const row = this.#tesseras.get(key);
      if (row !== undefined) released.add(this.#refer(row.manifest, -1));
      for (const file of this.#files.get(key) ?? []) {
        released.add(this.#refer(file.hash, -1));
      }
      this.#tesseras.delete(key);
      this.#files.delete(key);
      this.#publications.delete(key);
      for (const [at, fragment] of this.#fragments) {
        if (keyOf(fragment.tesseraId) !== key || fragment.owner) continue;
        this.#fragments.delete(at);
        released.add(this.#refer(fragment.blob, -1));
      }
      for (const plan of this.#plansOf(id)) {
        for (const [at, placement] of this.#placements) {
          if (compare(placement.planHash, plan.hash) === 0) {
            this.#placements.delete(at);
          }
        }
        this.#dropIdlePlan(plan.hash);
      }
      return this.#unreferenced(released);
    });
  }

  putPlan(row: PlanRow, signal: AbortSignal): Promise<void> {
    return step(signal, () => this.#putPlan(row));
  }

  plan(hash: Hash, signal: AbortSignal): Promise<PlanRow | undefined> {
    return step(signal, () => this.#plans.get(keyOf(hash)));
  }

  plansOf(tesseraId: TesseraId, signal: AbortSignal) {
    return step(signal, () => this.#plansOf(tesseraId));
  }

  putFragment(row: FragmentRow, signal: AbortSignal) {
    return step(signal, () => this.#putFragment(row));
  }

  keepFragment(plan: PlanRow, row: FragmentRow, signal: AbortSignal) {
    return step(signal, () => {
      checkFragment(row);
      this.#putPlan(plan);
      return this.#putFragment(row);
    });
  }

  fragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<FragmentRow | undefined> {
    return step(
      signal,
      () => this.#fragments.get(fragmentKey({ planHash, index })),
    );
  }

  fragmentsOf(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return step(signal, () =>
      [...this.#fragments.values()]
        .filter((row) => compare(row.tesseraId, tesseraId) === 0)
        .sort(byFragment));
  }

  fragments(
    after: FragmentKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly FragmentRow[]> {
    return step(signal, () =>
      [...this.#fragments.values()]
        .filter((row) => after === undefined || byFragment(row, after) > 0)
        .sort(byFragment).slice(0, limit));
  }

  holdings(after: Holding | undefined, limit: number, signal: AbortSignal) {
    return step(signal, () => holdingsOf(this.#fragments, after, limit));
  }

  removeFragment(
    planHash: Hash,
    index: number,
    signal: AbortSignal,
  ): Promise<readonly Hash[]> {
    return step(signal, () => {
      const key = fragmentKey({ planHash, index });
      const row = this.#fragments.get(key);
      if (row === undefined) return [];
      this.#fragments.delete(key);
      const released = this.#refer(row.blob, -1);
      this.#dropIdlePlan(planHash);
      return this.#unreferenced([released]);
    });
  }

  storedBytes(whose: NodeId | string | undefined, signal: AbortSignal) {
    return step(
      signal,
      () => storedBytesOf(this.#fragments, this.#plans, whose),
    );
  }

  references(blob: Hash, signal: AbortSignal): Promise<number> {
    return step(signal, () => this.#references.get(keyOf(blob)) ?? 0);
  }

  putPlacements(
    rows: readonly PlacementRow[],
    signal: AbortSignal,
  ): Promise<void> {
    return step(signal, () => {
      for (const row of rows) checkPlacement(row);
      for (const row of rows) {
        const key = `${fragmentKey(row)} ${keyOf(row.holder)}`;
        this.#placements.set(key, copied(row));
      }
    });
  }

  placements(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly PlacementRow[]> {
    return step(signal, () =>
      [...this.#placements.values()]
        .filter((row) => compare(row.planHash, planHash) === 0)
        .sort((a, b) => a.index - b.index || compare(a.holder, b.holder)));
  }

  putPublication(row: PublicationRow, signal: AbortSignal): Promise<void> {
    return step(signal, () => {
      checkPublication(row);
      this.#publications.set(keyOf(row.tesseraId), copied(row));
    });
  }

  publication(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<PublicationRow | undefined> {
    return step(signal, () => this.#publications.get(keyOf(tesseraId)));
  }

  publications(signal: AbortSignal): Promise<readonly PublicationRow[]> {
    return step(
      signal,
      () =>
        [...this.#publications.values()].sort((a, b) =>
          compare(a.tesseraId, b.tesseraId)
        ),
    );
  }

  putPointers(rows: readonly PointerRow[], signal: AbortSignal): Promise<void> {
    return step(signal, () => this.#pointers.put(rows));
  }

  pointers(
    tesseraId: TesseraId,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return step(signal, () => this.#pointers.of(tesseraId));
  }

  allPointers(
    after: PointerKey | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly PointerRow[]> {
    return step(signal, () => this.#pointers.page(after, limit));
  }

  expirePointers(nowMs: number, signal: AbortSignal): Promise<number> {
    return step(signal, () => this.#pointers.expire(nowMs));
  }

  removePointers(
    keys: readonly PointerKey[],
    signal: AbortSignal,
  ): Promise<void> {
    return step(signal, () => this.#pointers.remove(keys));
  }

  pointerCount(signal: AbortSignal): Promise<number> {
    return step(signal, () => this.#pointers.count);
  }

  putPeers(rows: readonly PeerRow[], signal: AbortSignal): Promise<void> {
    return step(signal, () => {
      for (const row of rows) checkPeer(row);
      for (const row of rows) this.#peers.set(keyOf(row.id), copied(row));
    });
  }

  removePeers(ids: readonly NodeId[], signal: AbortSignal): Promise<void> {
    return step(signal, () => {
      for (const id of ids) this.#peers.delete(keyOf(id));
    });
  }

  peers(limit: number, signal: AbortSignal): Promise<readonly PeerRow[]> {
    return step(
      signal,
      () =>
        [...this.#peers.values()].sort((a, b) =>
          b.lastSeenMs - a.lastSeenMs || compare(a.id, b.id)
        ).slice(0, limit),
    );
  }

  value(name: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return step(signal, () => this.#values.get(checkText(name, "value")));
  }

  putValue(
    name: string,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    return step(signal, () => {
      this.#values.set(checkText(name, "value"), bytes.slice());
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #putPlan(row: PlanRow): void {
    const key = keyOf(row.hash);
    if (!this.#plans.has(key)) this.#plans.set(key, copied(row));
  }

  #putFragment(row: FragmentRow): "stored" | "exists" {
    checkFragment(row);
    if (!this.#plans.has(keyOf(row.planHash))) throw planAbsent(row);
    const key = fragmentKey(row);
    if (this.#fragments.has(key)) return "exists";
    this.#fragments.set(key, copied(row));
    this.#refer(row.blob, 1);
    return "stored";
  }

  #plansOf(id: TesseraId): readonly PlanRow[] {
    return [...this.#plans.values()]
      .filter((plan) => compare(plan.tesseraId, id) === 0)
      .sort((a, b) => compare(a.hash, b.hash));
  }

  /** Drops a plan that neither a fragment, a tessera of ours nor a publication needs. */
  #dropIdlePlan(hash: Hash): void {
    const plan = this.#plans.get(keyOf(hash));
    if (plan === undefined || this.#tesseras.has(keyOf(plan.tesseraId))) return;
    if (this.#publications.has(keyOf(plan.tesseraId))) return;
    for (const row of this.#fragments.values()) {
      if (compare(row.planHash, hash) === 0) return;
    }
    this.#plans.delete(keyOf(hash));
  }

  /** Counts a reference more or less; returns the blob's key. */
  #refer(blob: Hash, by: 1 | -1): string {
    const key = keyOf(blob);
    const count = (this.#references.get(key) ?? 0) + by;
    if (count === 0) this.#references.delete(key);
    else this.#references.set(key, count);
    return key;
  }

  #unreferenced(keys: Iterable<string>): readonly Hash[] {
    return [...keys].filter((key) => !this.#references.has(key))
      .sort().map(parseHash);
  }
}

function fragmentKey(key: FragmentKey): string {
  return `${keyOf(key.planHash)} ${key.index}`;
}

function byFragment(a: FragmentKey, b: FragmentKey): number {
  return compare(a.planHash, b.planHash) || a.index - b.index;
}

/** One step of work that never waits, as a promise: a throw inside is a rejection. */
function step<T>(signal: AbortSignal, work: () => T): Promise<T> {
  return Promise.try(() => {
    throwIfAborted(signal);
    return work();
  });
}
