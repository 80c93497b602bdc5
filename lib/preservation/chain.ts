/**
 * Markov chains in continuous time that end in one absorbing state, solved without a single subtraction: every number
 * stays exact to almost the last digit, though rates differ by thirty orders of magnitude.
 *
 * The way is that of Grassmann, Taksar and Heyman ("Regenerative analysis and steady state distributions for Markov chains",
 * Operations Research 33, 1985): states are taken out one by one, and what flowed through them flows past.
 */
import { assert } from "@tesseras/core";

/** A way out of a state. */
export type Flow = {
  /** Where to; `undefined` is the end of the chain. */
  readonly to: number | undefined;
  readonly perYear: number;
};

/** What {@link absorb} finds. */
export type Absorption = {
  /** Mean years from state 0 to the end. */
  readonly years: number;
  /** Its inverse, which is 0 only where the end cannot be reached. */
  readonly perYear: number;
  /** The chance that the chain ends from `start` before it comes to state 0; 0 when it starts there. */
  readonly beforeHome: number;
};

/**
 * Takes out every state but 0 and `start`.
 *
 * @param flows the ways out of each state
 */
export function absorb(
  flows: readonly (readonly Flow[])[],
  start: number,
): Absorption {
  const count = flows.length;
  const chain = new Chain(flows);
  for (let state = count - 1; state > 0; state--) {
    if (state !== start) chain.remove(state);
  }
  const beforeHome = start === 0 ? 0 : chain.endsBefore(start);
  if (start !== 0) chain.remove(start);
  const { years, perYear } = chain.home();
  return { years, perYear, beforeHome };
}

/** Flows between the states that are left, as a dense matrix. */
class Chain {
  readonly #count: number;
  /** Row by row: the flow from a state to another. Nothing flows from a state to itself. */
  readonly #flows: Float64Array;
  readonly #ends: Float64Array;
  /** Years spent in a state, and in those taken out that were entered from it, times its whole outflow. */
  readonly #stays: Float64Array;
  readonly #left: Set<number>;

  constructor(flows: readonly (readonly Flow[])[]) {
    this.#count = flows.length;
    this.#flows = new Float64Array(this.#count ** 2);
    this.#ends = new Float64Array(this.#count);
    this.#stays = new Float64Array(this.#count).fill(1);
    this.#left = new Set(flows.keys());
    for (const [from, ways] of flows.entries()) {
      for (const { to, perYear } of ways) {
        assert(
          perYear >= 0 && Number.isFinite(perYear),
          `a rate of ${perYear} is a number from 0`,
        );
        if (to === undefined) this.#ends[from]! += perYear;
        else if (to !== from) this.#flows[from * this.#count + to]! += perYear;
      }
    }
  }

  remove(state: number): void {
    this.#left.delete(state);
    const row = state * this.#count;
    const outflow = this.#outflow(state);
    assert(outflow > 0, `state ${state} is left some day`);
    for (const from of this.#left) {
      const at = from * this.#count;
      const share = this.#flows[at + state]! / outflow;
      if (share === 0) continue;
      for (const to of this.#left) {
        // What would come back to where it was is no flow.
        if (to !== from) {
          this.#flows[at + to]! += share * this.#flows[row + to]!;
        }
      }
      this.#ends[from]! += share * this.#ends[state]!;
      this.#stays[from]! += share * this.#stays[state]!;
    }
  }

  /** With 0 and one other state left: how likely the chain ends from there without coming to 0. */
  endsBefore(state: number): number {
    return this.#ends[state]! / this.#outflow(state);
  }

  /** With 0 alone left: how long until the end. */
  home(): { readonly years: number; readonly perYear: number } {
    const ends = this.#ends[0]!, stays = this.#stays[0]!;
    return { years: stays / ends, perYear: ends / stays };
  }

  #outflow(state: number): number {
    const row = state * this.#count;
    let sum = this.#ends[state]!;
    for (const to of this.#left) {
      if (to !== state) sum += this.#flows[row + to]!;
    }
    return sum;
  }
}
