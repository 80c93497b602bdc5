/** A directory in memory: for tests, and for one process that keeps none on disk. */
import type { Random } from "@tesseras/core";
import { DIRECTORY_ENTRIES_MAX } from "@tesseras/core/limits";
import type { Directory, DirectoryEntry } from "./entry.ts";
import { mayTake, placeOf } from "./places.ts";

/** What a directory takes from outside. */
export type DirectoryParts = {
  /** Unix milliseconds of now. */
  readonly nowMs: () => number;
  readonly random: Random;
};

/** See {@link Directory}. */
export class MemoryDirectory implements Directory {
  readonly #parts: DirectoryParts;
  readonly #places: (DirectoryEntry | undefined)[] = [];

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  put(entries: readonly DirectoryEntry[]): Promise<number> {
    const nowMs = this.#parts.nowMs();
    let keptCount = 0;
    for (const entry of entries) {
      const place = placeOf(entry.id);
      if (!mayTake(entry, this.#places[place], nowMs)) continue;
      this.#places[place] = { ...entry, record: entry.record.slice() };
      keptCount++;
    }
    return Promise.resolve(keptCount);
  }

  sample(count: number): Promise<readonly DirectoryEntry[]> {
    const { nowMs, random } = this.#parts;
    const first = random.below(DIRECTORY_ENTRIES_MAX);
    const found: DirectoryEntry[] = [];
    for (let step = 0; step < DIRECTORY_ENTRIES_MAX; step++) {
      if (found.length >= count) break;
      const entry = this.#places[(first + step) % DIRECTORY_ENTRIES_MAX];
      if (entry === undefined || entry.expiresAtMs <= nowMs()) continue;
      found.push({ ...entry, record: entry.record.slice() });
    }
    return Promise.resolve(found);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#places.length = 0;
    return Promise.resolve();
  }
}
