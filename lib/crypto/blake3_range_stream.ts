/** Verification of a range while it arrives. */
import { TesserasError } from "@tesseras/core";
import type { VerifiedRange } from "./blake3_range.ts";

/** Verifies a range whose bytes arrive in order and in pieces of any size, each group as soon as it is there. */
export class RangeStream {
  readonly #range: VerifiedRange;
  readonly #group: Uint8Array;
  #groupLength = 0;
  #verifiedBytes = 0;

  constructor(range: VerifiedRange) {
    this.#range = range;
    this.#group = new Uint8Array(Math.min(range.groupBytes, range.range.bytes));
  }

  /** Bytes from the beginning of the range that are those of the content. What came behind them may be anything. */
  get verifiedBytes(): number {
    return this.#verifiedBytes;
  }

  /** Takes the next bytes; borrows them only during the call. @throws `corrupt`, and `malformed` for bytes beyond the range */
  update(bytes: Uint8Array): void {
    const { offset, bytes: length } = this.#range.range;
    const came = this.#verifiedBytes + this.#groupLength + bytes.length;
    if (came > length) {
      throw new TesserasError(
        "malformed",
        `Cannot verify a range: ${came} bytes came, wanted ${length}`,
      );
    }
    for (let rest = bytes; rest.length > 0;) {
      const left = length - this.#verifiedBytes;
      const wanted = Math.min(this.#group.length, left);
      const part = rest.subarray(0, wanted - this.#groupLength);
      const isWhole = part.length === wanted;
      if (!isWhole) this.#group.set(part, this.#groupLength);
      this.#groupLength += part.length;
      rest = rest.subarray(part.length);
      if (this.#groupLength < wanted) return;
      const group = isWhole ? part : this.#group.subarray(0, wanted);
      this.#range.check(offset + this.#verifiedBytes, group);
      this.#verifiedBytes += wanted;
      this.#groupLength = 0;
    }
  }

  /** @throws `malformed` unless all bytes of the range came, `corrupt` when there were none and the hash wants some */
  finish(): void {
    const { offset, bytes: length } = this.#range.range;
    if (length === 0) this.#range.check(offset, new Uint8Array());
    if (this.#verifiedBytes === length) return;
    throw new TesserasError(
      "malformed",
      `Cannot verify a range: ${
        this.#verifiedBytes + this.#groupLength
      } bytes came, wanted ${length}`,
    );
  }
}
