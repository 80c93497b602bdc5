/** How often one caller may ask: a bucket of tokens for each, and no more buckets than were allowed. */

/** What callers are held to. */
export type RateRules = {
  /** Questions a second on average. */
  readonly perSecond: number;
  /** Questions at once after a pause. */
  readonly burst: number;
  /** Callers remembered; beyond, the one that has been quiet for longest is forgotten. */
  readonly callersMax: number;
};

type Bucket = { tokens: number; filledMs: number };

/** Buckets of tokens by caller. */
export class Rate {
  readonly #rules: RateRules;
  readonly #monotonicMs: () => number;
  /** The caller that has been quiet for longest in front. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rules: RateRules, monotonicMs: () => number) {
    this.#rules = rules;
    this.#monotonicMs = monotonicMs;
  }

  /** How many callers are remembered. */
  get callerCount(): number {
    return this.#buckets.size;
  }

  /** Takes a token of the caller's; `false` when it has none left. */
  take(caller: string): boolean {
    const { perSecond, burst, callersMax } = this.#rules;
    const nowMs = this.#monotonicMs();
    const known = this.#buckets.get(caller);
    const bucket = known ?? { tokens: burst, filledMs: nowMs };
    const gained = (nowMs - bucket.filledMs) / 1000 * perSecond;
    bucket.tokens = Math.min(burst, bucket.tokens + gained);
    bucket.filledMs = nowMs;
    this.#buckets.delete(caller);
    if (this.#buckets.size >= callersMax) {
      const [quietest] = this.#buckets.keys();
      this.#buckets.delete(quietest!);
    }
    this.#buckets.set(caller, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
