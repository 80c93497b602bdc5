/** How the state in memory answers. */
import { throwIfAborted } from "@tesseras/core";

/** One step of work that never waits, as a promise: a throw inside is a rejection. */
export function step<T>(signal: AbortSignal, work: () => T): Promise<T> {
  return Promise.try(() => {
    throwIfAborted(signal);
    return work();
  });
}
