/** Counters of what happened and what was dropped, so that an operator sees a flood being shed instead of guessing. */

/** Named counters that only grow. Names are dotted and fixed in the code, never taken from a peer. */
export class Counters {
  readonly #values = new Map<string, number>();

  /** Adds `by` to a counter, from 0 at first use. */
  add(name: string, by = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + by);
  }

  /** The value of a counter, 0 when it was never used. */
  get(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  /** All counters by name, sorted. */
  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#values].sort(([a], [b]) => a < b ? -1 : 1),
    );
  }
}
