/** Rates: a bucket fills at its rate and pays for what is let through; a bounded family of them tells senders apart. */
import { assert, type Clock } from "@tesseras/core";

/** How much passes: `perSecond` on average, `burst` at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** Lets `perSecond` through on average and at most `burst` at once. */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #tokens: number;
  #countedMs: number;

  /** Starts full. */
  constructor(rate: Rate, clock: Clock) {
    assert(
      rate.perSecond > 0 && rate.burst >= 1,
      "a bucket lets something through",
    );
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#countedMs = clock.monotonicMs();
  }

  /** Whether nothing is missing: then it says no more than a new one would. */
  get isFull(): boolean {
    this.#fill();
    return this.#tokens >= this.#rate.burst;
  }

  /** Whether it could pay so much now. What costs more than the whole bucket waits for a full one, and not for ever. */
  has(cost = 1): boolean {
    this.#fill();
    return this.#tokens >= Math.min(cost, this.#rate.burst);
  }

  /** Pays, if it can; `false` when it has too little, and then nothing is taken. */
  take(cost = 1): boolean {
    if (!this.has(cost)) return false;
    this.charge(cost);
    return true;
  }

  /** Pays in any case: for what shows its cost only afterwards. A debt is never more than the whole bucket. */
  charge(cost: number): void {
    this.#fill();
    this.#tokens = Math.max(-this.#rate.burst, this.#tokens - cost);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const earned = (nowMs - this.#countedMs) * this.#rate.perSecond / 1000;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned);
    this.#countedMs = nowMs;
  }
}

/**
 * A bucket for each sender, as many as are remembered. Whoever has asked for nothing until its bucket was full again is
 * forgotten when somebody else comes, and beyond `countMax` the one unheard for longest.
 */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #countMax: number;
  readonly #clock: Clock;
  /** Oldest use first, because a `Map` keeps the order of insertion. */
  readonly #byKey = new Map<string, TokenBucket>();
  /** The last in the map: a sender is often asked for several times in a row. */
  #newest: { readonly key: string; readonly bucket: TokenBucket } | undefined;

  constructor(
    options: Rate & { readonly countMax: number },
    clock: Clock,
  ) {
    this.#rate = options;
    this.#countMax = options.countMax;
    this.#clock = clock;
  }

  /** Senders remembered now. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The bucket of a sender, a full one when it is not remembered. Do not keep it. */
  of(key: string): TokenBucket {
    if (this.#newest?.key === key) return this.#newest.bucket;
    const known = this.#byKey.get(key);
    if (known === undefined) this.#forgetFull();
    else this.#byKey.delete(key);
    const bucket = known ?? new TokenBucket(this.#rate, this.#clock);
    this.#byKey.set(key, bucket);
    if (this.#byKey.size > this.#countMax) {
      const [oldest] = this.#byKey.keys();
      this.#byKey.delete(oldest!);
    }
    this.#newest = { key, bucket };
    return bucket;
  }

  /** Two at most, so that they are fewer each time somebody comes, and nobody waits for it. */
  #forgetFull(): void {
    let left = 2;
    for (const [key, bucket] of this.#byKey) {
      if (left-- === 0 || !bucket.isFull) return;
      this.#byKey.delete(key);
    }
  }
}
