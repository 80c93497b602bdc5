/** What arrived and waits to be taken: a bounded queue between a loop that must not stop and whoever accepts. */
import { orAbort, throwIfAborted } from "@tesseras/core";

/** Hands items over in the order they came. Closing it lets takers have what is left, then tells them it is over. */
export class Arrivals<T> {
  readonly #limit: number;
  readonly #items: T[] = [];
  readonly #takers: ((item: T | undefined) => void)[] = [];
  #closed = false;

  /** @param limit items that may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item. `false` when it was not taken: too many wait, or the queue is closed. */
  push(item: T): boolean {
    if (this.#closed) return false;
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(item);
      return true;
    }
    if (this.#items.length >= this.#limit) return false;
    this.#items.push(item);
    return true;
  }

  /** The next item, or `undefined` when the queue is closed and empty. @throws the signal's error */
  async take(signal: AbortSignal): Promise<T | undefined> {
    throwIfAborted(signal);
    if (this.#items.length > 0) return this.#items.shift();
    if (this.#closed) return undefined;
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    this.#takers.push(resolve);
    try {
      return await orAbort(promise, signal, (item) => this.#putBack(item));
    } finally {
      const at = this.#takers.indexOf(resolve);
      if (at >= 0) this.#takers.splice(at, 1);
    }
  }

  /** Takes nothing more in. What waits can still be taken. */
  close(): void {
    this.#closed = true;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** An item given to a taker that had just stopped waiting goes to the next one, or back to the front. */
  #putBack(item: T | undefined): void {
    if (item === undefined) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(item);
    else this.#items.unshift(item);
  }
}
