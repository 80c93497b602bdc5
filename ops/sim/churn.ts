/** Nodes that come and go as people's do. */
import type { SeededRandom } from "@tesseras/core";
import { type Citizen, type City, never } from "./city.ts";

/**
 * Half of all newcomers are gone after two hours. Sessions are Weibull-distributed with a shape below one, as measured in
 * deployed networks: who has stayed long stays longer (Stutzbach and Rejaie, "Understanding Churn in Peer-to-Peer
 * Networks", IMC 2006, 5).
 */
const MEDIAN_SESSION_MS = 2 * 3_600_000;
const SHAPE = 0.6;
const SCALE_MS = MEDIAN_SESSION_MS / Math.LN2 ** (1 / SHAPE);
/** Sessions among which that of somebody who is up already is drawn. */
const CANDIDATES = 64;
/** The share of those who go that say so; the others lose power, or their line. */
const ORDERLY = 0.5;

/** How long a newcomer stays, in milliseconds. */
export function sessionMs(random: SeededRandom): number {
  return SCALE_MS * (-Math.log(1 - chance(random))) ** (1 / SHAPE);
}

/** How much longer somebody stays who has been up when nobody looked: long sessions are met more often, anywhere within them. */
export function residualMs(random: SeededRandom): number {
  const sessions = Array.from({ length: CANDIDATES }, () => sessionMs(random));
  let left = chance(random) * sessions.reduce((sum, ms) => sum + ms, 0);
  for (const ms of sessions) {
    if (left < ms) return left;
    left -= ms;
  }
  return left;
}

/** Lets everybody go in their time, and a newcomer come for each of them, until the signal aborts. Counts them. */
export class Churn {
  readonly #city: City;
  readonly #random: SeededRandom;
  readonly #kept: ReadonlySet<Citizen>;
  #isOver = false;
  goneCount = 0;

  /** @param kept who stays whatever happens */
  constructor(city: City, kept: readonly Citizen[] = []) {
    this.#city = city;
    this.#random = city.random.fork();
    this.#kept = new Set(kept);
    for (const citizen of city.living) {
      this.#expect(citizen, residualMs(this.#random));
    }
  }

  /** From now on everybody stays. */
  stop(): void {
    this.#isOver = true;
  }

  #expect(citizen: Citizen, ms: number): void {
    if (this.#kept.has(citizen)) return;
    this.#city.clock.after(ms, () => {
      if (this.#isOver || !this.#city.isLiving(citizen)) return;
      this.goneCount++;
      if (chance(this.#random) < ORDERLY) this.#city.leave(citizen);
      else this.#city.crash(citizen);
      this.#replace();
    });
  }

  #replace(): void {
    const entries = this.#city.entries();
    const arriving = this.#city.settle().then(async (newcomer) => {
      this.#expect(newcomer, sessionMs(this.#random));
      await this.#city.join(newcomer, entries);
    });
    // A newcomer may be gone again before it was in, which is no failure of anybody's.
    arriving.catch((error) => this.#city.net.failures.push(error));
  }
}

function chance(random: SeededRandom): number {
  return random.uint32() / 0x1_0000_0000;
}

/** Waits in virtual time. */
export async function pass(city: City, ms: number): Promise<void> {
  await city.run(city.clock.sleep(ms, never));
}
