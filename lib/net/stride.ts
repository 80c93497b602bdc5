/** How many octets of bulk to move at once. Decides only. */
import { BULK_STRIDE_BYTES_MAX } from "@tesseras/core/limits";

/** A piece sooner done than this may be followed by one twice as large. */
const QUICK_MS = 100;
/** After one that took longer than this the next is the least again. */
const LATE_MS = 400;

/**
 * Grows on a quick line, where every piece costs its handling, and falls back at once on a slow one, where each must show
 * that the line lives.
 */
export class Stride {
  readonly #leastBytes: number;
  #bytes: number;

  /** @param leastBytes octets of a piece on a line that is not known to be quick */
  constructor(leastBytes: number) {
    this.#leastBytes = leastBytes;
    this.#bytes = leastBytes;
  }

  /** Octets of the next piece: from the least to `BULK_STRIDE_BYTES_MAX`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes how long a piece took, in milliseconds. */
  took(ms: number): void {
    if (ms > LATE_MS) this.#bytes = this.#leastBytes;
    else if (ms < QUICK_MS) {
      this.#bytes = Math.min(2 * this.#bytes, BULK_STRIDE_BYTES_MAX);
    }
  }
}
