/** Waiting for several things at once, with limits, and without letting one float away. */
import {
  abortError,
  assert,
  codeOf,
  TesserasError,
  throwIfAborted,
} from "./error.ts";

/**
 * A scope for background work. Leaving it cancels and joins everything; the
 * first failure cancels the rest and reaches the owner through {@link failed} and {@link stop}.
 */
export class Tasks implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #onParent: () => void;
  readonly #parent: AbortSignal;
  #failure: { readonly error: unknown } | undefined;
  #reportFailure: (error: unknown) => void = () => {};
  /** Resolves with the first failure that was not a cancellation; stays pending while all is well. */
  readonly failed: Promise<unknown>;

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    this.#onParent = () => this.#controller.abort(abortError(parent));
    if (parent.aborted) this.#onParent();
    parent.addEventListener("abort", this.#onParent, { once: true });
    this.failed = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
  }

  /** Aborts when the scope ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** How many tasks are running. */
  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Starts background work, unless the scope has ended. A cancellation ends it quietly; any other failure ends the scope.
   *
   * @returns whether it began
   */
  spawn(work: (signal: AbortSignal) => Promise<void>): boolean {
    if (this.signal.aborted) return false;
    const running = begin(work, this.signal).catch((error) => {
      if (codeOf(error) === "cancelled" || this.signal.aborted) return;
      this.#failure ??= { error };
      this.#reportFailure(error);
      this.#controller.abort(error);
    }).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
    return true;
  }

  /** Waits until nothing runs, without cancelling anything. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Cancels everything and waits for it. @throws the first failure, if there was one and no call before threw it */
  async stop(): Promise<void> {
    this.#parent.removeEventListener("abort", this.#onParent);
    this.#controller.abort(STOPPED);
    while (this.#running.size > 0) await Promise.all(this.#running);
    const failure = this.#failure;
    // Told once: leaving the scope after stop() must not wrap the same failure in a SuppressedError.
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Why tasks end with their scope. One for all: every scope ends, and an error with a stack of its own is dear. */
const STOPPED = new TesserasError("cancelled", "Stopped on request");

/** Starts work and takes what it throws at once for a failure. Adds no turn of its own, or a failure could come after a stop. */
function begin(
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    return work(signal);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Runs `work` for every item, at most `parallel` at a time, and returns the results in order. The first
 * failure, a cancellation included, cancels the others, waits for them and is thrown.
 */
export async function mapBounded<T, R>(
  items: Iterable<T>,
  parallel: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal: AbortSignal,
): Promise<R[]> {
  assert(parallel >= 1, `${parallel} lanes do no work`);
  throwIfAborted(signal);
  const controller = new AbortController();
  const results: R[] = [];
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    controller.abort(error);
  };
  const onParent = (): void => fail(abortError(signal));
  signal.addEventListener("abort", onParent, { once: true });
  // All lanes draw from one iterator; leaving a loop early must not end it for the others.
  const source = items[Symbol.iterator]();
  let index = 0;
  const lane = async (): Promise<void> => {
    try {
      while (!controller.signal.aborted) {
        const next = source.next();
        if (next.done) return;
        const at = index++;
        results[at] = await work(next.value, controller.signal);
      }
    } catch (error) {
      fail(error);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  signal.removeEventListener("abort", onParent);
  if (failure === undefined) return results;
  source.return?.();
  throw failure.error;
}

/** Lets at most `limit` holders in at a time, first come first served. */
export class Semaphore {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(limit: number) {
    assert(limit >= 1, `nobody enters where ${limit} may`);
    this.#free = limit;
  }

  /** How many wait. */
  get waitingCount(): number {
    return this.#queue.length;
  }

  /** Waits for a place; dispose what it returns to give the place back. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal);
    if (this.#free > 0) {
      this.#free--;
      return this.#place();
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#queue.splice(this.#queue.indexOf(admit), 1);
        reject(abortError(signal));
      };
      const admit = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#queue.push(admit);
      signal.addEventListener("abort", onAbort, { once: true });
    });
    return this.#place();
  }

  #place(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#queue.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }
}

/** Settles with the promise, or rejects as soon as the signal aborts; the promise's late result goes to `late`. */
export function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late?: (value: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const onAbort = (): void => {
      over = true;
      reject(abortError(signal));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then((value) => {
      if (over) return late?.(value);
      signal.removeEventListener("abort", onAbort);
      resolve(value);
    }, (error) => {
      if (over) return;
      signal.removeEventListener("abort", onAbort);
      reject(error);
    });
  });
}
