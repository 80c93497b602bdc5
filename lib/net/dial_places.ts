/** How many dials may begin together. */
import { type Clock, Semaphore } from "@tesseras/core";
import { DIAL_BURST_MS, DIALS_MAX } from "@tesseras/core/limits";

/**
 * Places for dials that have just begun. What must not come at once is the answers; a dial that meets silence brings none, and
 * gives its place to the next after `DIAL_BURST_MS`, so that the dead do not stand in the way of the living.
 */
export class DialPlaces {
  readonly #places = new Semaphore(DIALS_MAX);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for a place; dispose what it returns when the dial has ended. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    using held = new DisposableStack();
    const place = held.use(await this.#places.enter(signal));
    const alarm = held.use(this.#clock.deadline(DIAL_BURST_MS, signal));
    alarm.signal.addEventListener("abort", () => place[Symbol.dispose](), {
      once: true,
    });
    return held.move();
  }
}
