/** Counters of what happened and what was dropped, so that an operator sees a flood being shed instead of guessing. */
import { COUNTER_HELP, type Listed } from "./counter_names.ts";

/** Named counters that only grow. Names are fixed in the code, in `counter_names.ts`, and never taken from a peer. */
export class Counters {
  readonly #values = new Map<string, { value: number }>();

  /** Adds `by`, 1 unless given, to a counter. */
  add<Name extends string>(name: Listed<Name>, by = 1): void {
    const counter = this.#values.get(name);
    if (counter === undefined) this.#values.set(name, { value: by });
    else counter.value += by;
  }

  /** The value of a counter, 0 when it was never used. */
  get(name: string): number {
    return this.#values.get(name)?.value ?? 0;
  }

  /** Every counter there is by name, sorted; most are 0. */
  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Array.from(COUNTER_HELP.keys(), (name) => [name, this.get(name)]),
    );
  }
}
