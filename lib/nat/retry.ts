/** When a pair that has no direct path tries for one again. */
import type { Random } from "@tesseras/core";
import {
  DIAL_FAILURES_MAX,
  PUNCH_RETRY_MAX_MS,
  PUNCH_RETRY_MS,
} from "@tesseras/core/limits";

type Tried = { readonly times: number; readonly nextMs: number };

/**
 * Pairs that are relayed, or found no way at all, by the peer's id as text. Pauses double from 30 s to 15 minutes; a change of the network on
 * either side begins anew, because then everything that failed may work. Times on the monotonic clock.
 */
export class PunchRetries {
  readonly #random: Random;
  /** Latest failure last. */
  readonly #tried = new Map<string, Tried>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** How many pairs are remembered, `DIAL_FAILURES_MAX` at most. */
  get size(): number {
    return this.#tried.size;
  }

  /** Notes that no direct path was found, and returns when the next try is due. */
  failed(peer: string, nowMs: number): number {
    const times = (this.#tried.get(peer)?.times ?? 0) + 1;
    const pauseMs = Math.min(
      PUNCH_RETRY_MAX_MS,
      PUNCH_RETRY_MS * 2 ** Math.min(times - 1, 30),
    );
    // Between half and whole: both sides would else try, and all who lost their path together.
    const nextMs = nowMs + pauseMs / 2 +
      this.#random.below(Math.ceil(pauseMs / 2));
    this.#tried.delete(peer);
    this.#tried.set(peer, { times, nextMs });
    if (this.#tried.size > DIAL_FAILURES_MAX) {
      const [oldest] = this.#tried.keys();
      this.#tried.delete(oldest!);
    }
    return nextMs;
  }

  /** Forgets a pair: it is direct now, or nobody wants it any more. */
  forget(peer: string): void {
    this.#tried.delete(peer);
  }

  /** Makes one pair due at once, its pauses short again: that peer's address changed. */
  moved(peer: string, nowMs: number): void {
    if (this.#tried.has(peer)) {
      this.#tried.set(peer, { times: 0, nextMs: nowMs });
    }
  }

  /** Makes every pair due at once, its pauses short again: our own network changed. */
  movedSelf(nowMs: number): void {
    for (const peer of [...this.#tried.keys()]) this.moved(peer, nowMs);
  }

  /** Whether a try may begin; a pair that is not remembered may. */
  isDue(peer: string, nowMs: number): boolean {
    return (this.#tried.get(peer)?.nextMs ?? -Infinity) <= nowMs;
  }

  /** Which pairs are due now, longest due first. */
  due(nowMs: number): readonly string[] {
    return [...this.#tried].filter(([, { nextMs }]) => nextMs <= nowMs)
      .sort(([, one], [, other]) => one.nextMs - other.nextMs)
      .map(([peer]) => peer);
  }
}
