/** Time as a port: the system's for real, a virtual one that a simulation moves. */
import { setImmediate } from "node:timers";
import { abortError, assert, TesserasError } from "./error.ts";
import { type Timer, TimerHeap } from "./timer_heap.ts";

/** A clock and its alarm. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonicMs(): number;
  /** Waits. @throws `cancelled`, or the signal's own {@link TesserasError}, when the signal aborts first */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** A signal that aborts with `timeout` after `ms`, or with `parent`, whichever is first. Dispose it to stop the alarm. */
  deadline(ms: number, parent: AbortSignal): Deadline;
}

/** A signal that aborts in time. Disposing it leaves the signal as it is and frees the alarm. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** The two calls a clock is made of; everything else follows. */
export type Alarm = {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Calls back after `ms`; returns a function that cancels it. */
  readonly after: (ms: number, callback: () => void) => () => void;
};

/** Builds a {@link Clock} on an alarm. */
export function clockOf(alarm: Alarm): Clock {
  return {
    nowMs: alarm.nowMs,
    monotonicMs: alarm.monotonicMs,
    sleep: (ms, signal) => sleep(alarm, ms, signal),
    deadline: (ms, parent) => deadline(alarm, ms, parent),
  };
}

function sleep(alarm: Alarm, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const stop = alarm.after(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = (): void => {
      stop();
      reject(abortError(signal));
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function deadline(alarm: Alarm, ms: number, parent: AbortSignal): Deadline {
  const controller = new AbortController();
  if (parent.aborted) controller.abort(abortError(parent));
  const stop = alarm.after(ms, () => {
    parent.removeEventListener("abort", onParent);
    controller.abort(
      new TesserasError("timeout", `No answer within ${ms} ms`),
    );
  });
  const onParent = (): void => {
    stop();
    controller.abort(abortError(parent));
  };
  parent.addEventListener("abort", onParent, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      stop();
      parent.removeEventListener("abort", onParent);
    },
  };
}

/** Timers that fire at one instant, beyond which something sets timers that time never gets past. */
const STILL_MAX = 1_000_000;

/** Cancelled timers are swept when they are this many and more than half of all: most deadlines are met. */
const CANCELLED_MIN = 64;

/**
 * A clock that stands still until it is moved. Timers fire in order of time,
 * then of creation; between two of them every pending promise reaction runs, so
 * one seed gives one history.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  readonly #heap = new TimerHeap();
  #cancelledCount = 0;
  /** Timers fired since time last moved. */
  #stillCount = 0;
  readonly #clock: Clock;

  /** @param startMs what {@link nowMs} says at first, in Unix milliseconds */
  constructor(startMs = 1_800_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
    this.#clock = clockOf({
      nowMs: () => this.nowMs(),
      monotonicMs: () => this.monotonicMs(),
      after: (ms, callback) => this.#after(ms, callback),
    });
  }

  nowMs(): number {
    // Whole, as the system's: latencies may have fractions, dates have none.
    return Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  deadline(ms: number, parent: AbortSignal): Deadline {
    return this.#clock.deadline(ms, parent);
  }

  /** Calls back after `ms` of virtual time; returns a function that cancels it. */
  after(ms: number, callback: () => void): () => void {
    return this.#after(ms, callback);
  }

  /** How many timers wait, with those whose cancellation has not been swept yet. */
  get timerCount(): number {
    return this.#heap.size;
  }

  /** Moves time until the promise settles, and returns what it gives. Fails when nothing is left to happen. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.#fire(Number.MAX_VALUE, () => settled);
    assert(
      settled,
      "the simulation waits for something that no timer will bring",
    );
    return await promise;
  }

  /** Moves time by `ms`, firing what falls due. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.#fire(untilMs, () => false);
    this.#nowMs = untilMs;
  }

  #after(ms: number, callback: () => void): () => void {
    const dueMs = this.#nowMs + Math.max(0, ms);
    assert(!Number.isNaN(dueMs), "a timer knows when it is due");
    const timer: Timer = { order: this.#order++, callback };
    this.#heap.push(timer, dueMs);
    return () => {
      if (timer.callback === undefined) return;
      timer.callback = undefined;
      this.#cancelledCount++;
      this.#sweep();
    };
  }

  #sweep(): void {
    if (this.#cancelledCount < CANCELLED_MIN) return;
    if (2 * this.#cancelledCount <= this.#heap.size) return;
    this.#heap.sweep();
    this.#cancelledCount = 0;
  }

  /** Fires what falls due, one timer in a turn of the event loop: then every promise reaction that is possible has run. */
  #fire(untilMs: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          if (isOver() || !this.#fireNext(untilMs)) resolve();
          else setImmediate(turn);
        } catch (error) {
          reject(error);
        }
      };
      setImmediate(turn);
    });
  }

  #fireNext(untilMs: number): boolean {
    for (;;) {
      const dueMs = this.#heap.nextMs;
      const next = dueMs <= untilMs ? this.#heap.pop() : undefined;
      if (next === undefined) return false;
      const { callback } = next;
      if (callback === undefined) {
        this.#cancelledCount--;
        continue;
      }
      next.callback = undefined;
      this.#stillCount = dueMs > this.#nowMs ? 0 : this.#stillCount + 1;
      assert(
        this.#stillCount <= STILL_MAX,
        `time stands still: ${STILL_MAX} timers fired at one instant`,
      );
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      callback();
      return true;
    }
  }
}
