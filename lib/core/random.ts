/** Randomness as a port: the system's for real, a seeded one for simulations. */

import { assert } from "./error.ts";

/** A source of random bytes and numbers. */
export interface Random {
  /** Fresh random bytes. */
  bytes(count: number): Uint8Array;
  /** A whole number from 0 to `limit - 1`; `limit` is 1 to 2^32. */
  below(limit: number): number;
}

/**
 * A deterministic source: sfc32 (Doty-Humphrey, PractRand), seeded through splitmix32. For simulations only, never for keys.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(new SeededRandom(7).bytes(4), new SeededRandom(7).bytes(4));
 * ```
 */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    let state = seed >>> 0;
    const split = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    this.#a = split();
    this.#b = split();
    this.#c = split();
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const result = (this.#a + this.#b + this.#counter++) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) >>> 0;
    this.#c = (this.#c + result) >>> 0;
    return result;
  }

  below(limit: number): number {
    checkLimit(limit);
    return Math.floor((this.uint32() / 0x1_0000_0000) * limit);
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.uint32() & 255;
    return bytes;
  }

  /** An independent source whose seed this one draws. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32());
  }
}

/** Stops on a range nobody can draw from; an unchecked 0 would draw for ever. */
export function checkLimit(limit: number): void {
  assert(
    Number.isInteger(limit) && limit >= 1 && limit <= 0x1_0000_0000,
    `cannot draw a number below ${limit}`,
  );
}

/** A copy in random order (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}
