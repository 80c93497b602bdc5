/** Waking everybody who waits for a change; each looks for itself whether it was theirs. */
import { orAbort } from "@tesseras/core";

/** Costs nothing while nobody waits. */
export class Bell {
  #waiters: (() => void)[] | undefined;

  /** Wakes those who wait now, in the order they came. */
  ring(): void {
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const wake of waiters ?? []) wake();
  }

  /** Waits for the next ring. @throws the signal's error */
  async wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    (this.#waiters ??= []).push(resolve);
    try {
      await orAbort(promise, signal);
    } finally {
      const at = this.#waiters?.indexOf(resolve) ?? -1;
      if (at >= 0) this.#waiters?.splice(at, 1);
    }
  }
}
