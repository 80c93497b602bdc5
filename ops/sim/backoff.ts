/** The pause before a peer that could not be reached is dialled again, as a real node keeps it. */
import { keyOf, type Runtime, TesserasError } from "@tesseras/core";
import {
  DIAL_BACKOFF_MAX_MS,
  DIAL_BACKOFF_MS,
  DIAL_FAILURES_MAX,
} from "@tesseras/core/limits";
import type { NodeRecord } from "@tesseras/wire";

type Failed = {
  readonly times: number;
  readonly untilMs: number;
  readonly sequence: number;
};

/** Failed dials of one node. */
export class Backoff {
  readonly #runtime: Runtime;
  /** Oldest failure first. */
  readonly #failed = new Map<string, Failed>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @throws `unreachable` while the peer's pause lasts, unless its record is newer than the one that failed */
  check(peer: NodeRecord): void {
    const failed = this.#failed.get(keyOf(peer.id));
    if (failed === undefined || failed.sequence < peer.sequence) return;
    if (failed.untilMs <= this.#runtime.clock.monotonicMs()) return;
    this.#runtime.counters.add("peers.dial_backoff");
    throw new TesserasError(
      "unreachable",
      `Cannot dial: it failed ${failed.times} times a moment ago`,
    );
  }

  /** Lengthens the pause of a peer that could not be reached. */
  remember(peer: NodeRecord): void {
    const key = keyOf(peer.id);
    const { clock, random, counters } = this.#runtime;
    counters.add("peers.dial_failed");
    const times = (this.#failed.get(key)?.times ?? 0) + 1;
    const pauseMs = Math.min(
      DIAL_BACKOFF_MAX_MS,
      DIAL_BACKOFF_MS * 2 ** Math.min(times - 1, 30),
    );
    const untilMs = clock.monotonicMs() + pauseMs / 2 +
      random.below(Math.ceil(pauseMs / 2));
    this.#failed.delete(key);
    this.#failed.set(key, { times, untilMs, sequence: peer.sequence });
    if (this.#failed.size <= DIAL_FAILURES_MAX) return;
    const [oldest] = this.#failed.keys();
    this.#failed.delete(oldest!);
  }

  /** Forgets the failures of a peer that has answered. */
  forget(peer: NodeRecord): void {
    if (this.#failed.size > 0) this.#failed.delete(keyOf(peer.id));
  }
}
