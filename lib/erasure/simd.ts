/** Matrix products by the WebAssembly kernels. Their memory is shared scratch: one apply leaves nothing for the next. */
import { assert } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import type { Matrix } from "./matrix.ts";
import {
  SUMS_BYTES,
  SUMS_INPUTS,
  SumsPass,
  TablesPass,
} from "./simd_passes.ts";

/** Every kernel makes its outputs in steps that divide this; it is three lines of cache. */
const STEP_BYTES = 192;
/** All windows together stay in a core's second cache. Sums lie before them and coefficients behind. */
const WINDOWS_AT = SUMS_BYTES;
const WINDOWS_BYTES = 256 * KIB;
const COEFFICIENTS_AT = WINDOWS_AT + WINDOWS_BYTES;

/** A kernel, and from which size of a product on its way of only adding beats its tables, if it has one. */
export type SimdKernel = {
  /** The module, in base64. */
  readonly code: string;
  readonly sumsFrom:
    | { readonly inputCount: number; readonly outputCount: number }
    | undefined;
};

/** What the module exports. Addresses and lengths are in bytes; see ops/kernels. */
export type SimdExports = {
  readonly memory: WebAssembly.Memory;
  readonly multiply1: Multiply;
  readonly multiply2: Multiply;
  readonly multiply4: Multiply;
  readonly sums?: (
    inputs: number,
    pairs: number,
    outputs: number,
    rows: number,
    choices: number,
    stride: number,
    length: number,
  ) => void;
};

/** Makes one, two or four output windows. */
export type Multiply = (
  inputs: number,
  count: number,
  outputs: number,
  tables: number,
  stride: number,
  length: number,
) => void;

/** Where the windows of one pass lie: inputs from the first address, outputs from the second, `stride` apart. */
export type Windows = {
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  readonly length: number;
};

/** One way to compute rows of a matrix from windows in the kernel's memory. */
export interface Pass {
  /** What the kernel reads beside the windows. */
  readonly coefficients: Uint8Array;
  /** Fills the output windows; `at` is where the coefficients lie. */
  run(exports: SimdExports, windows: Windows, at: number): void;
}

type Loaded = {
  readonly memory: Uint8Array;
  readonly exports: SimdExports;
  /** Whose coefficients lie in the memory. */
  owner: SimdProduct | undefined;
};

const loaded = new Map<string, Loaded>();

/** A product with one matrix. Rows that only copy an input do not reach the kernel. */
export class SimdProduct {
  readonly #loaded: Loaded;
  readonly #copies: readonly { readonly row: number; readonly input: number }[];
  /** Which output each row of the kernel is. */
  readonly #rows: readonly number[];
  readonly #inputCount: number;
  readonly #pass: Pass;
  readonly #stride: number;

  constructor(matrix: Matrix, kernel: SimdKernel) {
    this.#loaded = load(kernel);
    const inputCount = matrix[0]?.length ?? 0;
    this.#inputCount = inputCount;
    const copied = matrix.map(copiedInput);
    this.#copies = copied.flatMap((input, row) =>
      input === undefined ? [] : [{ row, input }]
    );
    this.#rows = matrix.flatMap((_, row) =>
      copied[row] === undefined ? [row] : []
    );
    const computed = this.#rows.map((row) => matrix[row]!);
    const { sumsFrom } = kernel;
    const adds = sumsFrom !== undefined &&
      computed.length >= sumsFrom.outputCount &&
      inputCount >= sumsFrom.inputCount;
    this.#pass = adds ? new SumsPass(computed) : new TablesPass(computed);
    assert(
      COEFFICIENTS_AT + this.#pass.coefficients.length <=
        this.#loaded.memory.length,
      "coefficients of 256 shards fit the kernel's memory",
    );
    // The last pass over the outputs may make one to three more than are wanted, and that over the inputs look at more.
    this.#stride = windowBytes(
      Math.max(inputCount + computed.length + 3, inputCount + SUMS_INPUTS),
    );
  }

  /** See {@link Product}. */
  apply(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    for (const { row, input } of this.#copies) {
      outputs[row]!.set(inputs[input]!);
    }
    if (this.#rows.length === 0) return;
    if (this.#loaded.owner !== this) {
      this.#loaded.memory.set(this.#pass.coefficients, COEFFICIENTS_AT);
      this.#loaded.owner = this;
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
    const { memory, exports } = this.#loaded;
    const stride = this.#stride;
    inputs.forEach((input, i) =>
      memory.set(input.subarray(from, to), WINDOWS_AT + i * stride)
    );
    const outputsAt = WINDOWS_AT + this.#inputCount * stride;
    this.#pass.run(exports, {
      inputs: WINDOWS_AT,
      outputs: outputsAt,
      stride,
      // What a window lacks to a whole step is computed from old bytes and not copied out.
      length: Math.ceil((to - from) / STEP_BYTES) * STEP_BYTES,
    }, COEFFICIENTS_AT);
    this.#rows.forEach((row, i) => {
      const at = outputsAt + i * stride;
      outputs[row]!.set(memory.subarray(at, at + to - from), from);
    });
  }
}

/** The kernel's module and memory; compiled once in a process. */
function load({ code }: SimdKernel): Loaded {
  let kernel = loaded.get(code);
  if (kernel === undefined) {
    const module = new WebAssembly.Module(Uint8Array.fromBase64(code));
    // The platform leaves exports untyped; these are the ones ops/kernels/reed_solomon.ts declares.
    const exports = new WebAssembly.Instance(module)
      .exports as unknown as SimdExports;
    const memory = new Uint8Array(exports.memory.buffer);
    kernel = { memory, exports, owner: undefined };
    loaded.set(code, kernel);
  }
  return kernel;
}

/** The input that a row copies, when that is all it does. */
function copiedInput(row: Uint8Array): number | undefined {
  const input = row.findIndex((coefficient) => coefficient !== 0);
  const alone = row[input] === 1 &&
    row.every((coefficient, i) => i === input || coefficient === 0);
  return alone ? input : undefined;
}

/**
 * Bytes of a window when there are so many: whole steps, but an odd number of them and so of lines of cache, so that
 * windows do not all begin in the same place of it and drive each other out.
 */
function windowBytes(windowCount: number): number {
  const steps = Math.floor(WINDOWS_BYTES / windowCount / STEP_BYTES);
  return (steps % 2 === 0 ? steps - 1 : steps) * STEP_BYTES;
}
