/** The two ways of the kernels: with tables of products, or with sums of inputs. Both read what is laid out here. */
import { assert } from "@tesseras/core";
import { productsOf } from "./gf256.ts";
import type { Matrix } from "./matrix.ts";
import { DATA_SHARDS_MAX } from "./shape.ts";
import type { Multiply, Pass, SimdExports, Windows } from "./simd.ts";

/** Bytes of tables for one coefficient: its products with sixteen low and sixteen high nibbles. */
const TABLE_BYTES = 32;

/** Inputs whose sums are made in one turn, in two fours. */
export const SUMS_INPUTS = 8;
const FOUR = 4;
/** All sums of four inputs in steps of 48 bytes. */
const SUM_BYTES = 48;
const FOUR_BYTES = (1 << FOUR) * SUM_BYTES;
/** Room for the sums of as many inputs as there may be; the kernel wants it at address 0. */
export const SUMS_BYTES = DATA_SHARDS_MAX / FOUR * FOUR_BYTES;
/** Bits of the coefficients that are added up at a time, in the order the kernel takes them. */
const HALVES = [[7, 6, 5, 4], [3, 2, 1, 0]] as const;

/** Rows made by one call of the kernel: 1, 2 or 4, the last of which may be of no use. */
type Group = {
  readonly firstRow: number;
  readonly width: 1 | 2 | 4;
};

/** Four rows at a time, each coefficient's products looked up by two shuffles. */
export class TablesPass implements Pass {
  readonly coefficients: Uint8Array;
  readonly #groups: readonly Group[];
  readonly #inputCount: number;

  constructor(rows: Matrix) {
    this.#inputCount = rows[0]?.length ?? 0;
    this.#groups = groupsOf(rows.length);
    this.coefficients = tablesOf(rows, this.#inputCount, this.#groups);
  }

  run(exports: SimdExports, windows: Windows, at: number): void {
    const { inputs, outputs, stride, length } = windows;
    let tables = at;
    for (const { firstRow, width } of this.#groups) {
      const multiply = multiplyOf(exports, width);
      const first = outputs + firstRow * stride;
      multiply(inputs, this.#inputCount, first, tables, stride, length);
      tables += this.#inputCount * width * TABLE_BYTES;
    }
  }
}

/** All rows in one pass over the inputs, by adding alone. */
export class SumsPass implements Pass {
  readonly coefficients: Uint8Array;
  readonly #rowCount: number;
  readonly #pairCount: number;

  constructor(rows: Matrix) {
    this.#rowCount = rows.length;
    // Inputs that are there only to fill a turn are in no sum that is chosen, whatever they hold.
    this.#pairCount = Math.ceil((rows[0]?.length ?? 0) / SUMS_INPUTS);
    this.coefficients = choicesOf(rows, this.#pairCount * SUMS_INPUTS);
  }

  run(exports: SimdExports, windows: Windows, at: number): void {
    const { inputs, outputs, stride, length } = windows;
    const { sums } = exports;
    assert(sums !== undefined, "a kernel that is said to add does");
    sums(inputs, this.#pairCount, outputs, this.#rowCount, at, stride, length);
  }
}

/** How many rows each call makes: fours, and what is left over by the smallest that holds it. */
function groupsOf(rowCount: number): readonly Group[] {
  const groups: Group[] = [];
  for (let firstRow = 0; firstRow < rowCount; firstRow += 4) {
    const left = rowCount - firstRow;
    groups.push({ firstRow, width: left === 1 || left === 2 ? left : 4 });
  }
  return groups;
}

function multiplyOf(exports: SimdExports, width: Group["width"]): Multiply {
  switch (width) {
    case 1:
      return exports.multiply1;
    case 2:
      return exports.multiply2;
    case 4:
      return exports.multiply4;
  }
}

/** The tables of all groups, in the order the kernel reads them: group, input, row. */
function tablesOf(
  rows: Matrix,
  inputCount: number,
  groups: readonly Group[],
): Uint8Array {
  const widths = groups.reduce((sum, { width }) => sum + width, 0);
  const tables = new Uint8Array(widths * inputCount * TABLE_BYTES);
  let at = 0;
  for (const { firstRow, width } of groups) {
    for (let input = 0; input < inputCount; input++) {
      for (let row = firstRow; row < firstRow + width; row++) {
        const products = productsOf(rows[row]?.[input] ?? 0);
        for (let nibble = 0; nibble < 16; nibble++) {
          tables[at++] = products[nibble]!;
        }
        for (let nibble = 0; nibble < 16; nibble++) {
          tables[at++] = products[nibble << 4]!;
        }
      }
    }
  }
  return tables;
}

/** Addresses of the sums that each bit of the coefficients chooses, in the order the kernel reads them. */
function choicesOf(rows: Matrix, inputCount: number): Uint8Array {
  const bytes = new Uint8Array(
    rows.length * HALVES.length * inputCount * Uint16Array.BYTES_PER_ELEMENT *
      HALVES[0].length / FOUR,
  );
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const row of rows) {
    for (const bits of HALVES) {
      for (let first = 0; first < inputCount; first += FOUR) {
        for (const bit of bits) {
          const sum = first / FOUR * FOUR_BYTES +
            choiceOf(row, first, bit) * SUM_BYTES;
          view.setUint16(at, sum, true);
          at += Uint16Array.BYTES_PER_ELEMENT;
        }
      }
    }
  }
  return bytes;
}

/** Which of four inputs have a bit in their coefficient: bit i stands for the i-th. */
function choiceOf(row: Uint8Array, first: number, bit: number): number {
  let choice = 0;
  for (let i = 0; i < FOUR; i++) {
    choice |= ((row[first + i] ?? 0) >> bit & 1) << i;
  }
  return choice;
}
