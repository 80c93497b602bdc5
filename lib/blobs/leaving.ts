/** Blobs being taken away, of which it is not known yet whether they go. */
import { type Hash, keyOf } from "@tesseras/core";

/**
 * Has those who look for a blob wait while it is asked whether somebody needs it. Without that a reader would take one that is put
 * back a moment later for lost, and whoever vouches for it would give it up.
 */
export class Leaving {
  readonly #underWay = new Map<string, Promise<void>>();

  /** Waits until nobody is taking the blob away. */
  async settled(hash: Hash): Promise<void> {
    const key = keyOf(hash);
    for (;;) {
      const underWay = this.#underWay.get(key);
      if (underWay === undefined) return;
      await underWay;
    }
  }

  /** Takes a blob away, after whoever was at it before. */
  async take<T>(hash: Hash, work: () => Promise<T>): Promise<T> {
    await this.settled(hash);
    const key = keyOf(hash);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.set(key, promise);
    try {
      return await work();
    } finally {
      this.#underWay.delete(key);
      resolve();
    }
  }
}
