/** How fast repair may move bytes, whoever they come from and go to. */
import { assert, type Clock } from "@tesseras/core";

/** Spreads bytes over time. All who share it together stay within its rate, in the order in which they ask. */
export class Budget {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  /** When everything that was let through until now is paid for. Monotonic. */
  #paidMs = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    assert(bytesPerSecond > 0, "a budget lets something through");
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Waits until the bytes before these are paid for. @throws the signal's error */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const beginMs = Math.max(nowMs, this.#paidMs);
    this.#paidMs = beginMs + 1_000 * bytes / this.#bytesPerSecond;
    if (beginMs > nowMs) await this.#clock.sleep(beginMs - nowMs, signal);
  }
}
