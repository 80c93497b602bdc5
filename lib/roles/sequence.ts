/** Numbers for signed records that only grow, also over a restart after which the clock says less. */
import { type Clock, Semaphore, u64be } from "@tesseras/core";
import { CLOCK_SKEW_MS, POINTER_TTL_MS } from "@tesseras/core/limits";
import type { State } from "@tesseras/state";

/** Where the state remembers how far the numbers may have gone. */
const NAME = "provider.sequence";
/** Numbers set aside with one write: a restart may skip as many, and must stay well within what clocks may differ. */
const RESERVED_MS = CLOCK_SKEW_MS / 10;

/**
 * Unix milliseconds, and more than ever before. A number is given out only once the state covers it, so that no crash
 * can bring it back: a record with a lower one would be taken for old by everybody who keeps the earlier one.
 */
export class Sequence {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #turn = new Semaphore(1);
  /** The last number given out; `undefined` before the state was asked. */
  #last: number | undefined;
  #reserved = 0;

  constructor(state: State, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  /** The next number. @throws as the state's `putValue` */
  async next(signal: AbortSignal): Promise<number> {
    using _turn = await this.#turn.enter(signal);
    const nowMs = this.#clock.nowMs();
    this.#last ??= await this.#remembered(nowMs, signal);
    const next = Math.max(nowMs, this.#last + 1);
    if (next > this.#reserved) {
      const reserved = next + RESERVED_MS;
      await this.#state.putValue(NAME, u64be(BigInt(reserved)), signal);
      this.#reserved = reserved;
    }
    this.#last = next;
    return next;
  }

  async #remembered(nowMs: number, signal: AbortSignal): Promise<number> {
    const bytes = await this.#state.value(NAME, signal);
    if (bytes?.length !== 8) return 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const mark = view.getBigUint64(0);
    // Beyond a pointer's life there is nothing left to overtake, and a clock that once ran far ahead must not silence us for ever.
    return mark > BigInt(nowMs + POINTER_TTL_MS) ? 0 : Number(mark);
  }
}
