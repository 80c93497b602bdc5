/**
 * Reed-Solomon erasure coding: `dataCount` shards of data get `parityCount` more, and any `dataCount` of them all give
 * back the rest. Systematic Vandermonde over GF(2^8)/0x11d, the common construction, so that off-the-shelf tools read
 * our fragments.
 */
import { TesserasError } from "@tesseras/core";
import {
  inverted,
  type Matrix,
  product,
  systematicVandermonde,
} from "./matrix.ts";
import { type KernelName, type Product, productWith } from "./product.ts";
import { requireShape, type Shape } from "./shape.ts";

/** How to compute. */
export type CodingOptions = {
  /** The fastest one unless named. All give the same bytes. */
  readonly kernel?: KernelName;
};

/**
 * Makes parity from data. Reusable for any number of windows, and holds no data between them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * const data = [Uint8Array.of(1, 2), Uint8Array.of(3, 4)];
 * const parity = [new Uint8Array(2)];
 * new Encoder({ dataCount: 2, parityCount: 1 }).encode(data, parity);
 * // The first data shard is lost.
 * const found = [new Uint8Array(2)];
 * new Decoder({ dataCount: 2, parityCount: 1 }, { present: [1, 2], wanted: [0] })
 *   .decode([data[1]!, parity[0]!], found);
 * assertEquals(found, [data[0]]);
 * ```
 */
export class Encoder {
  readonly #shape: Shape;
  readonly #product: Product;

  /** @throws `unusable` unless there are 1 to 128 data shards and at most 256 shards in all */
  constructor(shape: Shape, options: CodingOptions = {}) {
    requireShape(shape);
    this.#shape = shape;
    const matrix = codeOf(shape).slice(shape.dataCount);
    this.#product = productWith(matrix, options.kernel);
  }

  /**
   * Fills the parity windows from the data windows at the same place: all data shards in order, all parity shards in
   * order, each as long as the others. Borrows its arguments; parity must not overlap data.
   *
   * @throws `unusable` when there are too few or too many windows, or their lengths differ
   */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    requireWindows("encode", data, this.#shape.dataCount);
    requireWindows("encode", parity, this.#shape.parityCount);
    requireEqualLengths("encode", [...data, ...parity]);
    this.#product.apply(data, parity);
  }
}

/** Which shards are there and which are to be made. */
export type DecoderPlan = {
  /** Numbers of exactly `dataCount` different shards, in any order. */
  readonly present: readonly number[];
  /** Numbers of different shards, data or parity, in any order. */
  readonly wanted: readonly number[];
};

/** Makes any shards from any `dataCount` others. Reusable for any number of windows, and holds no data between them. */
export class Decoder {
  readonly #plan: DecoderPlan;
  readonly #product: Product;

  /** @throws `unusable` for a shape as with {@link Encoder}, and for numbers that are repeated or not of a shard */
  constructor(shape: Shape, plan: DecoderPlan, options: CodingOptions = {}) {
    requireShape(shape);
    requirePlan(shape, plan);
    this.#plan = { present: [...plan.present], wanted: [...plan.wanted] };
    const code = codeOf(shape);
    const rowsOf = (numbers: readonly number[]) =>
      numbers.map((number) => code[number]!);
    const matrix = product(rowsOf(plan.wanted), inverted(rowsOf(plan.present)));
    this.#product = productWith(matrix, options.kernel);
  }

  /**
   * Fills the windows of the wanted shards from those of the present ones at the same place, both in the order the
   * plan has them, each as long as the others. Borrows its arguments; `out` must not overlap `have`.
   *
   * @throws `unusable` when there are too few or too many windows, or their lengths differ
   */
  decode(have: readonly Uint8Array[], out: readonly Uint8Array[]): void {
    requireWindows("decode", have, this.#plan.present.length);
    requireWindows("decode", out, this.#plan.wanted.length);
    requireEqualLengths("decode", [...have, ...out]);
    this.#product.apply(have, out);
  }
}

function codeOf({ dataCount, parityCount }: Shape): Matrix {
  return systematicVandermonde(dataCount + parityCount, dataCount);
}

/** @throws `unusable` for numbers that are repeated or not of a shard, and unless just enough are present */
export function requirePlan(shape: Shape, plan: DecoderPlan): void {
  requireNumbers(shape, plan.present);
  requireNumbers(shape, plan.wanted);
  if (plan.present.length !== shape.dataCount) {
    throw new TesserasError(
      "unusable",
      `Cannot decode: ${plan.present.length} shards present, wanted ${shape.dataCount}`,
    );
  }
}

function requireNumbers(
  { dataCount, parityCount }: Shape,
  numbers: readonly number[],
): void {
  const seen = new Set<number>();
  for (const number of numbers) {
    const known = Number.isInteger(number) && number >= 0 &&
      number < dataCount + parityCount;
    if (!known || seen.has(number)) {
      throw new TesserasError(
        "unusable",
        `Cannot decode: shard ${number} is ${
          known ? "repeated" : "unknown"
        }, ` +
          `wanted different ones of ${dataCount + parityCount}`,
      );
    }
    seen.add(number);
  }
}

function requireWindows(
  work: "encode" | "decode",
  windows: readonly Uint8Array[],
  count: number,
): void {
  if (windows.length !== count) {
    throw new TesserasError(
      "unusable",
      `Cannot ${work}: ${windows.length} windows given, wanted ${count}`,
    );
  }
}

function requireEqualLengths(
  work: "encode" | "decode",
  windows: readonly Uint8Array[],
): void {
  const length = windows[0]!.length;
  const other = windows.find((window) => window.length !== length);
  if (other !== undefined) {
    throw new TesserasError(
      "unusable",
      `Cannot ${work}: windows of ${length} and ${other.length} bytes, wanted one length`,
    );
  }
}
