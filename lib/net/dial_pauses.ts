/** The pause before a peer that could not be reached is dialled again. */
import { keyOf, type Runtime, TesserasError } from "@tesseras/core";
import {
  DIAL_BACKOFF_MAX_MS,
  DIAL_BACKOFF_MS,
  DIAL_FAILURES_MAX,
} from "@tesseras/core/limits";
import type { NodeRecord } from "@tesseras/wire";

/** How often in a row a peer could not be reached, and when it may be tried again. */
type Failed = {
  readonly times: number;
  readonly untilMs: number;
  /** Of the record that was tried: a newer one may hold better addresses. */
  readonly sequence: number;
};

/** Who could not be reached lately, `DIAL_FAILURES_MAX` at most. Each failure in a row doubles the pause. */
export class DialPauses {
  readonly #runtime: Pick<Runtime, "clock" | "random" | "counters">;
  /** Oldest failure first. */
  readonly #failed = new Map<string, Failed>();

  constructor(runtime: Pick<Runtime, "clock" | "random" | "counters">) {
    this.#runtime = runtime;
  }

  /** Lets a peer pass that may be dialled. @throws `unreachable` during its pause, unless its record is newer than the one that failed */
  check(peer: NodeRecord): void {
    if (this.#failed.size === 0) return;
    const { clock, counters } = this.#runtime;
    const key = keyOf(peer.id);
    const failed = this.#failed.get(key);
    if (failed === undefined || failed.sequence < peer.sequence) return;
    const leftMs = failed.untilMs - clock.monotonicMs();
    if (leftMs <= 0) return;
    counters.add("peers.dial_backoff");
    throw new TesserasError(
      "unreachable",
      `Cannot dial ${key}: it failed ${failed.times} times, next try in ${
        Math.ceil(leftMs)
      } ms`,
    );
  }

  /** Notes that a peer could not be reached, or turned us away, and lengthens its pause. */
  failed(peer: NodeRecord): void {
    const key = keyOf(peer.id);
    const { clock, random } = this.#runtime;
    const times = (this.#failed.get(key)?.times ?? 0) + 1;
    const pauseMs = Math.min(
      DIAL_BACKOFF_MAX_MS,
      DIAL_BACKOFF_MS * 2 ** Math.min(times - 1, 30),
    );
    // Between half and whole, so that those who lost a peer together do not come back together.
    const untilMs = clock.monotonicMs() + pauseMs / 2 +
      random.below(Math.ceil(pauseMs / 2));
    this.#failed.delete(key);
    this.#failed.set(key, { times, untilMs, sequence: peer.sequence });
    if (this.#failed.size <= DIAL_FAILURES_MAX) return;
    const [oldest] = this.#failed.keys();
    this.#failed.delete(oldest!);
  }

  /** Forgets the failures of a peer that has answered. */
  answered(peer: NodeRecord): void {
    if (this.#failed.size > 0) this.#failed.delete(keyOf(peer.id));
  }
}
