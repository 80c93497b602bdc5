/** Which blobs are in hand: committed, and not yet named by a row. */
import { type Hash, keyOf, mapBounded } from "@tesseras/core";
import type { Blobs } from "@tesseras/blobs";
import type { State } from "@tesseras/state";

/** Blobs looked at or removed at once. */
export const BLOBS_PARALLEL = 16;

/** Blobs that work of this process has in hand. Nobody here removes such a blob, whatever the rows say. */
export class Holds {
  readonly #counts = new Map<string, number>();

  /** Whether anybody has the blob in hand. */
  has(hash: Hash): boolean {
    return this.#counts.has(keyOf(hash));
  }

  /** Takes a blob in hand. Each call wants its {@link release}. */
  take(hash: Hash): void {
    const key = keyOf(hash);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Lets go of a blob. */
  release(hash: Hash): void {
    const key = keyOf(hash);
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }
}

/** What knows whether a blob is still needed. */
export type Keepers = {
  readonly blobs: Blobs;
  readonly state: State;
  readonly holds: Holds;
};

/** Removes those of the blobs that no row names and nobody has in hand; returns their number. */
export async function removeUnneeded(
  keepers: Keepers,
  hashes: readonly Hash[],
  signal: AbortSignal,
): Promise<number> {
  const removed = await mapBounded(
    hashes,
    BLOBS_PARALLEL,
    async (hash, signal) => {
      if (keepers.holds.has(hash)) return false;
      // Asked when nobody finds the blob any more: a create, or a peer's put in another process, may have named it just now.
      return await keepers.blobs.removeUnless(
        hash,
        async () =>
          keepers.holds.has(hash) ||
          await keepers.state.references(hash, signal) > 0,
        signal,
      );
    },
    signal,
  );
  return removed.filter(Boolean).length;
}
