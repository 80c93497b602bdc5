/** Closing sessions that are not used any more: the idle, and those that lost against another with the same peer. */
import type { Clock, Tasks } from "@tesseras/core";
import { CONNECTION_IDLE_MS, DUPLICATE_LINGER_MS } from "@tesseras/core/limits";
import type { Reaped, SessionPool } from "./pool.ts";

/** How often idle sessions are looked for: one closes at most a quarter late. */
const REAP_MS = CONNECTION_IDLE_MS / 4;

/** What a reaper works on. */
export type ReaperParts = {
  readonly pool: SessionPool;
  readonly clock: Clock;
  readonly tasks: Tasks;
  /** Whether anybody could dial this node. */
  readonly dialable: () => boolean;
  readonly close: (reaped: Reaped) => void;
};

/** Looks for such sessions as long as its tasks run. */
export class Reaper {
  readonly #parts: ReaperParts;
  #hastens = false;

  constructor(parts: ReaperParts) {
    this.#parts = parts;
  }

  /** Starts to look, now and then. */
  start(): void {
    const { clock, tasks } = this.#parts;
    tasks.spawn(async (signal) => {
      for (;;) {
        await clock.sleep(REAP_MS, signal);
        this.#reap();
      }
    });
  }

  /** A session has come: while any of them lose against another it looks more often, until the last of those is quiet. */
  added(): void {
    const { clock, pool, tasks } = this.#parts;
    if (!pool.hasDuplicates || this.#hastens) return;
    this.#hastens = true;
    tasks.spawn(async (signal) => {
      while (pool.hasDuplicates) {
        await clock.sleep(DUPLICATE_LINGER_MS, signal);
        this.#reap();
      }
      this.#hastens = false;
    });
  }

  #reap(): void {
    const { clock, close, dialable, pool } = this.#parts;
    const nowMs = clock.monotonicMs();
    for (const reaped of pool.reapable({ nowMs, dialable: dialable() })) {
      close(reaped);
    }
  }
}
