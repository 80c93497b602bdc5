/** How many bytes may pass: so many a second, some at once, and so many in a month. Time is an argument. */

/** Bytes a second, with a burst; what does not fit is dropped and not queued (254 of 256 KB/s got through, with a quarter of the delay). */
export class Allowance {
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  #bytes: number;
  #countedMs: number;

  /** Starts full. Both figures are more than 0; `nowMs` is monotonic. */
  constructor(
    { bytesPerSecond, burstBytes }: {
      readonly bytesPerSecond: number;
      readonly burstBytes: number;
    },
    nowMs: number,
  ) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#burstBytes = burstBytes;
    this.#bytes = burstBytes;
    this.#countedMs = nowMs;
  }

  /** Whether so many bytes pass now; those that do are paid for. */
  take(bytes: number, nowMs: number): boolean {
    const earned = Math.max(0, nowMs - this.#countedMs) * this.#bytesPerMs;
    this.#bytes = Math.min(this.#burstBytes, this.#bytes + earned);
    this.#countedMs = Math.max(this.#countedMs, nowMs);
    if (bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    return true;
  }
}

/** What a month's volume is, to be written down and taken up again after a restart. */
export type MonthUsed = {
  /** Months since January 1970. */
  readonly month: number;
  readonly bytes: number;
};

/** The bytes forwarded in this calendar month (UTC), as operators are billed, and the ceiling they set. */
export class MonthVolume {
  readonly #bytesMax: number;
  #month: number;
  #bytes: number;

  /**
   * @param bytesMax the ceiling; `Infinity` for none
   * @param used what was written down last, of whatever month
   * @param nowMs Unix milliseconds
   */
  constructor(bytesMax: number, used: MonthUsed | undefined, nowMs: number) {
    this.#bytesMax = bytesMax;
    this.#month = monthOf(nowMs);
    // A clock that was wrong may have written a later month: its bytes count, or a wrong clock would lift the ceiling.
    this.#bytes = used !== undefined && used.month >= this.#month
      ? used.bytes
      : 0;
  }

  get used(): MonthUsed {
    return { month: this.#month, bytes: this.#bytes };
  }

  /** Whether the ceiling is reached. */
  get isSpent(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  /** Counts bytes that were forwarded. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Begins a new month when there is one; never goes back to an earlier one. To be called now and then, with Unix milliseconds. */
  roll(nowMs: number): void {
    const month = monthOf(nowMs);
    if (month <= this.#month) return;
    this.#month = month;
    this.#bytes = 0;
  }
}

/**
 * Months from January 1970 to a moment in UTC. Counts in years that begin in March, whose leap day is their last (Hinnant,
 * "chrono-compatible low-level date algorithms", `civil_from_days`).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(monthOf(0), 0);
 * assertEquals(monthOf(1_800_000_000_000), 57 * 12); // January 2027
 * ```
 */
export function monthOf(unixMs: number): number {
  const days = Math.floor(unixMs / 86_400_000) + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  return (era * 400 + yearOfEra - 1_970) * 12 + monthFromMarch + 2;
}
