/** State in memory, for simulations and tests: the same rules as the database, and one seed gives one history. */
import {
  compare,
  equal,
  type Hash,
  keyOf,
  type NodeId,
  parseHash,
  type TesseraId,
} from "@tesseras/core";
import {
  byFragment,
  fragmentKey,
  fragmentsOf,
  holdingsOf,
  storedBytesOf,
} from "./memory_holdings.ts";
import type { Forgotten } from "./care_rows.ts";
import { MemoryCare } from "./memory_care.ts";
import { MemoryPeers } from "./memory_peers.ts";
import { MemoryPointers } from "./memory_pointers.ts";
import { step } from "./memory_step.ts";
import {
  checkFile,
  checkFragment,
  checkPublication,
  checkTessera,
  checkText,
  copied,
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  isClaimable,
  type PeerRow,
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
  readonly #publications = new Map<string, PublicationRow>();
  readonly #pointers = new MemoryPointers();
  readonly #peers = new MemoryPeers();
  readonly #values = new Map<string, Uint8Array>();
  readonly #references = new Map<string, number>();
  readonly care: MemoryCare = new MemoryCare({
    hasPlan: (hash) => this.#plans.has(keyOf(hash)),
    dropForeign: (plans) => this.#dropForeign(plans),
    strikeOut: (key) => {
      const row = this.#fragments.get(fragmentKey(key));
      if (row !== undefined) this.#dropFragment(row);
      return row;
    },
    dropIdle: (plans) => plans.forEach((hash) => this.#dropIdlePlan(hash)),
  });

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
      const plans = this.#plansOf(id);
      for (const { hash } of plans) this.care.placementBook.removePlan(hash);
      this.#removePublication(key);
      for (const fragment of this.#fragments.values()) {
        if (keyOf(fragment.tesseraId) !== key || fragment.owner) continue;
        released.add(this.#dropFragment(fragment));
      }
      for (const { hash } of plans) this.#dropIdlePlan(hash);
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
      const here = this.#fragments.get(fragmentKey(row));
      const isFree = here !== undefined && isClaimable(here);
      if (isFree && !isClaimable(row)) this.#dropFragment(here);
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

  fragmentsOf(tesseraId: TesseraId, signal: AbortSignal) {
    return step(signal, () => fragmentsOf(this.#fragments, { tesseraId }));
  }

  fragmentsOfPlan(planHash: Hash, signal: AbortSignal) {
    return step(signal, () => fragmentsOf(this.#fragments, { planHash }));
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
      const row = this.#fragments.get(fragmentKey({ planHash, index }));
      const released = row === undefined ? [] : [this.#dropFragment(row)];
      this.#dropIdlePlan(planHash);
      return this.#unreferenced(released);
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

  putPublication(row: PublicationRow, signal: AbortSignal): Promise<void> {
    return step(signal, () => {
      checkPublication(row);
      const key = keyOf(row.tesseraId);
      const before = this.#publications.get(key);
      this.#publications.set(key, copied(row));
      this.care.placementBook.publish(row.planHash, true);
      if (before === undefined || equal(before.planHash, row.planHash)) return;
      this.care.placementBook.publish(before.planHash, false);
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
    return step(signal, () => this.#peers.put(rows));
  }

  removePeers(ids: readonly NodeId[], signal: AbortSignal): Promise<void> {
    return step(signal, () => this.#peers.remove(ids));
  }

  peers(limit: number, signal: AbortSignal): Promise<readonly PeerRow[]> {
    return step(signal, () => this.#peers.latest(limit));
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
    if (this.#plans.has(key)) return;
    this.#plans.set(key, copied(row));
    this.#refer(row.hash, 1);
  }

  #putFragment(row: FragmentRow): "stored" | "exists" {
    checkFragment(row);
    if (!this.#plans.has(keyOf(row.planHash))) throw planAbsent(row);
    const key = fragmentKey(row);
    if (this.#fragments.has(key)) return "exists";
    this.#fragments.set(key, copied(row));
    this.#refer(row.blob, 1);
    this.care.ledgerBook.fragment(row, 1);
    this.care.struckBook.remove(row);
    return "stored";
  }

  /** Returns the key of its blob. */
  #dropFragment(row: FragmentRow): string {
    this.#fragments.delete(fragmentKey(row));
    this.care.ledgerBook.fragment(row, -1);
    return this.#refer(row.blob, -1);
  }

  /** Drops what is kept of these plans for others. */
  #dropForeign(plans: readonly Hash[]): Forgotten {
    const keys = new Set(plans.map(keyOf));
    const rows = [...this.#fragments.values()].filter((row) =>
      row.owner !== undefined && keys.has(keyOf(row.planHash))
    );
    const released = new Set(rows.map((row) => this.#dropFragment(row)));
    for (const hash of plans) this.#dropIdlePlan(hash);
    const blobs = this.#unreferenced(released);
    return { fragmentCount: rows.length, blobs };
  }

  #removePublication(tessera: string): void {
    const row = this.#publications.get(tessera);
    if (row === undefined) return;
    this.#publications.delete(tessera);
    this.care.placementBook.publish(row.planHash, false);
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
    if (this.care.struckBook.of(hash).length > 0) return;
    for (const row of this.#fragments.values()) {
      if (compare(row.planHash, hash) === 0) return;
    }
    this.#plans.delete(keyOf(hash));
    this.#refer(hash, -1);
    this.care.planGoes(hash);
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
