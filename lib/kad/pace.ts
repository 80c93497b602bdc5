/** How long an answer takes around here, and from when on one is late. */
import { QUERY_LATE_MIN_MS, QUERY_LATE_MS } from "@tesseras/core/limits";

/** Answers remembered, a multiple of {@link ANSWERS_MIN}: a few lookups' worth, so that a node that moves to another line learns it within minutes. */
const ANSWERS_REMEMBERED = 128;
/** Fewer answers say nothing; and the pace is taken anew with every so many. */
const ANSWERS_MIN = 16;
/** The answer that sets the pace: nine of ten are faster. Liars must be a tenth of all who answer to slow us down. */
const QUANTILE = 0.9;
/** How much longer than the pace an answer may take before it is late: a lost packet sent again takes another round trip. */
const PATIENCE = 1.5;

/**
 * Learns from answers when to stop waiting for one before asking the next. The threshold stays within fixed bounds, so peers that
 * answer at their own leisure, or at once, can move it no further than those.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * const pace = new Pace();
 * assertEquals(pace.lateMs, 1_000);
 * for (let i = 0; i < 100; i++) pace.answered(200);
 * assertEquals(pace.lateMs, 300);
 * ```
 */
export class Pace {
  /** A ring: the oldest is overwritten. */
  readonly #tookMs: number[] = [];
  #next = 0;
  #lateMs = QUERY_LATE_MS;

  /** Notes that an answer came, and after how many milliseconds; a late one too, or the fast alone would be counted. */
  answered(tookMs: number): void {
    this.#tookMs[this.#next] = tookMs;
    this.#next = (this.#next + 1) % ANSWERS_REMEMBERED;
    if (this.#next % ANSWERS_MIN !== 0) return;
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    const slow = sorted[Math.floor(QUANTILE * sorted.length)]!;
    this.#lateMs = Math.min(
      QUERY_LATE_MS,
      Math.max(QUERY_LATE_MIN_MS, PATIENCE * slow),
    );
  }

  /** Milliseconds from when on an answer is late: from `QUERY_LATE_MIN_MS` to `QUERY_LATE_MS`. */
  get lateMs(): number {
    return this.#lateMs;
  }
}
