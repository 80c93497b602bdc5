/** How many contacts of one subnet may stand among the candidates of a lookup. */
import type { Contact } from "./bucket.ts";

/**
 * Lets a limited number of contacts of each subnet pass, first come first served: identities are cheap and networks are not,
 * so a crowd of ids ground next to a key counts for no more than the networks it has.
 */
export class Crowd {
  readonly #max: number | undefined;
  readonly #counts = new Map<string, number>();

  /** @param max contacts of one subnet; `undefined` is no limit */
  constructor(max: number | undefined) {
    this.#max = max;
  }

  /** Whether this one may pass, and if so counts it. Those of use and those asked for directions alone are counted apart. */
  admits({ subnet }: Contact, isWanted: boolean): boolean {
    if (this.#max === undefined || subnet === undefined) return true;
    const key = isWanted ? `+${subnet}` : `-${subnet}`;
    const count = this.#counts.get(key) ?? 0;
    if (count >= this.#max) return false;
    this.#counts.set(key, count + 1);
    return true;
  }
}
