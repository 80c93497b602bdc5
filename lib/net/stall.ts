/** Noticing a transfer that stands still, at the price of one alarm for all its steps. */
import { abortError, type Clock, type Deadline } from "@tesseras/core";

/**
 * Aborts its signal when a step takes longer than it may, or with the parent. A transfer has thousands of steps and nearly all of
 * them are in time, so the alarm is only moved when it rings. Dispose it to stop the alarm.
 */
export class StallWatch implements Disposable {
  readonly #clock: Clock;
  readonly #parent: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onParent: () => void;
  #alarm: { readonly deadline: Deadline; readonly ringsMs: number } | undefined;
  /** When the step under way must be done; `undefined` between steps. */
  #dueMs: number | undefined;

  constructor(clock: Clock, parent: AbortSignal) {
    this.#clock = clock;
    this.#parent = parent;
    this.#onParent = () => this.#controller.abort(abortError(parent));
    if (parent.aborted) this.#onParent();
    parent.addEventListener("abort", this.#onParent, { once: true });
  }

  /** Aborts with `timeout` when a step is late, or with the parent's reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it watches on behalf of this signal. */
  isFor(parent: AbortSignal): boolean {
    return parent === this.#parent;
  }

  /** A step begins, which must end within `ms`. */
  begin(ms: number): void {
    const dueMs = this.#clock.monotonicMs() + ms;
    this.#dueMs = dueMs;
    if (this.#alarm === undefined || this.#alarm.ringsMs > dueMs) {
      this.#setAlarm(ms, dueMs);
    }
  }

  /** The step has ended: what follows is not the peer's time. */
  end(): void {
    this.#dueMs = undefined;
  }

  [Symbol.dispose](): void {
    this.#parent.removeEventListener("abort", this.#onParent);
    this.#alarm?.deadline[Symbol.dispose]();
    this.#alarm = undefined;
    this.#dueMs = undefined;
  }

  #setAlarm(ms: number, ringsMs: number): void {
    this.#alarm?.deadline[Symbol.dispose]();
    const deadline = this.#clock.deadline(ms, this.#controller.signal);
    this.#alarm = { deadline, ringsMs };
    deadline.signal.addEventListener(
      "abort",
      () => this.#ring(deadline.signal),
      { once: true },
    );
  }

  #ring(alarm: AbortSignal): void {
    this.#alarm = undefined;
    if (this.#dueMs === undefined || this.signal.aborted) return;
    const leftMs = this.#dueMs - this.#clock.monotonicMs();
    if (leftMs > 0) this.#setAlarm(leftMs, this.#dueMs);
    else this.#controller.abort(abortError(alarm));
  }
}
