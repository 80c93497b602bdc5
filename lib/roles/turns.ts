/** One at a time for each thing, and different things at once. */
import { Semaphore } from "@tesseras/core";

/** Turns by name. A name takes memory only while somebody has its turn or waits for it. */
export class Turns {
  readonly #byName = new Map<string, { turn: Semaphore; userCount: number }>();

  /** Waits until nobody else has the turn of a name; dispose what it returns to pass it on. */
  async enter(name: string, signal: AbortSignal): Promise<Disposable> {
    const used = this.#byName.get(name) ??
      { turn: new Semaphore(1), userCount: 0 };
    this.#byName.set(name, used);
    used.userCount++;
    const leave = (): void => {
      if (--used.userCount === 0) this.#byName.delete(name);
    };
    try {
      const place = await used.turn.enter(signal);
      return {
        [Symbol.dispose]: () => {
          place[Symbol.dispose]();
          leave();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  }
}
