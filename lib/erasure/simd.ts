/** Matrix products by the WebAssembly kernels. Their memory is shared scratch: one apply leaves nothing for the next. */
import { assert } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { productsOf } from "./gf256.ts";
import type { Matrix } from "./matrix.ts";

/** Bytes the kernel makes at a time in every row. */
const STEP_BYTES = 32;
/** Bytes of tables for one coefficient: its products with sixteen low and sixteen high nibbles. */
const TABLE_BYTES = 32;
/** All windows together: they are read once per four output rows, so they should stay in a core's second cache. */
const WINDOWS_BYTES = 256 * KIB;
const TABLES_AT = WINDOWS_BYTES;
/** Bytes of a line of cache. */
const LINE_BYTES = 64;

type Multiply = (
  inputs: number,
  count: number,
  outputs: number,
  tables: number,
  stride: number,
  length: number,
) => void;

type Exports = {
  readonly memory: WebAssembly.Memory;
  readonly multiply1: Multiply;
  readonly multiply2: Multiply;
  readonly multiply4: Multiply;
};

/** A kernel, its memory, and whose tables lie there. */
export type Simd = {
  readonly memory: Uint8Array;
  readonly multiply: Exports;
  owner: SimdProduct | undefined;
};

/** Rows made by one call of the kernel: 1, 2 or 4, the last of which may be of no use. */
type Group = {
  readonly firstRow: number;
  readonly width: 1 | 2 | 4;
  readonly multiply: Multiply;
};

const loaded = new Map<string, Simd>();

/** The kernel of a base64 text; compiled once in a process. */
export function loadSimd(base64: string): Simd {
  let simd = loaded.get(base64);
  if (simd === undefined) {
    const module = new WebAssembly.Module(Uint8Array.fromBase64(base64));
    // The platform leaves exports untyped; these are the ones ops/kernels/reed_solomon.ts declares.
    const multiply = new WebAssembly.Instance(module)
      .exports as unknown as Exports;
    const memory = new Uint8Array(multiply.memory.buffer);
    simd = { memory, multiply, owner: undefined };
    loaded.set(base64, simd);
  }
  return simd;
}

/** A product with one matrix. Rows that only copy an input do not reach the kernel. */
export class SimdProduct {
  readonly #simd: Simd;
  readonly #copies: readonly { readonly row: number; readonly input: number }[];
  /** Which output each row of the kernel is. */
  readonly #rows: readonly number[];
  readonly #inputCount: number;
  readonly #tables: Uint8Array;
  readonly #groups: readonly Group[];
  readonly #stride: number;

  constructor(matrix: Matrix, simd: Simd) {
    this.#simd = simd;
    this.#inputCount = matrix[0]?.length ?? 0;
    const copied = matrix.map(copiedInput);
    this.#copies = copied.flatMap((input, row) =>
      input === undefined ? [] : [{ row, input }]
    );
    this.#rows = matrix.flatMap((_, row) =>
      copied[row] === undefined ? [row] : []
    );
    const computed = this.#rows.map((row) => matrix[row]!);
    this.#groups = groupsOf(computed.length, simd.multiply);
    this.#tables = tablesOf(computed, this.#inputCount, this.#groups);
    assert(
      TABLES_AT + this.#tables.length <= simd.memory.length,
      "tables of 256 shards fit the kernel's memory",
    );
    this.#stride = windowBytes(this.#inputCount + computed.length + 1);
  }

  /** See {@link Product}. */
  apply(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    for (const { row, input } of this.#copies) {
      outputs[row]!.set(inputs[input]!);
    }
    if (this.#rows.length === 0) return;
    if (this.#simd.owner !== this) {
      this.#simd.memory.set(this.#tables, TABLES_AT);
      this.#simd.owner = this;
    }
    const length = inputs[0]!.length;
    for (let from = 0; from < length; from += this.#stride) {
      const to = Math.min(length, from + this.#stride);
      this.#applyWindow(inputs, outputs, [from, to]);
    }
  }

  #applyWindow(
    inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    [from, to]: readonly [number, number],
  ): void {
    const { memory } = this.#simd;
    const stride = this.#stride;
    inputs.forEach((input, i) =>
      memory.set(input.subarray(from, to), i * stride)
    );
    const outputsAt = this.#inputCount * stride;
    // What a window lacks to a whole step is computed from old bytes and not copied out.
    const length = Math.ceil((to - from) / STEP_BYTES) * STEP_BYTES;
    let tablesAt = TABLES_AT;
    for (const { firstRow, width, multiply } of this.#groups) {
      const at = outputsAt + firstRow * stride;
      multiply(0, this.#inputCount, at, tablesAt, stride, length);
      tablesAt += this.#inputCount * width * TABLE_BYTES;
    }
    this.#rows.forEach((row, i) => {
      const at = outputsAt + i * stride;
      outputs[row]!.set(memory.subarray(at, at + to - from), from);
    });
  }
}

/** The input that a row copies, when that is all it does. */
function copiedInput(row: Uint8Array): number | undefined {
  const input = row.findIndex((coefficient) => coefficient !== 0);
  const alone = row[input] === 1 &&
    row.every((coefficient, i) => i === input || coefficient === 0);
  return alone ? input : undefined;
}

/** How many rows each call of the kernel makes: fours, and what is left over by the smallest that holds it. */
function groupsOf(rowCount: number, multiply: Exports): readonly Group[] {
  const groups: Group[] = [];
  for (let firstRow = 0; firstRow < rowCount; firstRow += 4) {
    switch (rowCount - firstRow) {
      case 1:
        groups.push({ firstRow, width: 1, multiply: multiply.multiply1 });
        break;
      case 2:
        groups.push({ firstRow, width: 2, multiply: multiply.multiply2 });
        break;
      default:
        groups.push({ firstRow, width: 4, multiply: multiply.multiply4 });
    }
  }
  return groups;
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

/**
 * Bytes of a window when there are so many. An odd number of lines of cache, so that windows do not all begin in the
 * same place of it and drive each other out.
 */
function windowBytes(windowCount: number): number {
  const lines = Math.floor(WINDOWS_BYTES / windowCount / LINE_BYTES);
  return (lines % 2 === 0 ? lines - 1 : lines) * LINE_BYTES;
}
