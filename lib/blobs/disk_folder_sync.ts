/** Makes names in folders durable: a renamed file survives a power cut once its folder is synced. */
import { attempt } from "./disk_error.ts";

/** Syncs folders; calls that wait for the same folder share one sync. */
export class FolderSync {
  /** Syncs that have begun. A name written meanwhile may be missed by them. */
  readonly #running = new Map<string, Promise<void>>();
  /** Syncs that have not begun, and so will see every name written before. */
  readonly #waiting = new Map<string, Promise<void>>();

  /** Resolves when every name that is in the folder now is durable. */
  sync(folder: string): Promise<void> {
    const waiting = this.#waiting.get(folder);
    if (waiting !== undefined) return waiting;
    const next = this.#syncAfter(this.#running.get(folder), folder);
    this.#waiting.set(folder, next);
    return next;
  }

  async #syncAfter(
    running: Promise<void> | undefined,
    folder: string,
  ): Promise<void> {
    // How the one before ended is told to those who waited for it.
    await Promise.allSettled([running]);
    const mine = this.#waiting.get(folder);
    this.#waiting.delete(folder);
    if (mine !== undefined) this.#running.set(folder, mine);
    try {
      await attempt(`sync ${folder}`, async () => {
        // A name in it was made just now, so the folder is in memory and opening it waits for nothing.
        using handle = Deno.openSync(folder);
        await handle.sync();
      });
    } finally {
      if (this.#running.get(folder) === mine) this.#running.delete(folder);
    }
  }
}
