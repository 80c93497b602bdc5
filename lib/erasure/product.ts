/**
 * Windows of bytes multiplied by a matrix over GF(2^8): all the work of coding. Three kernels give the same bytes:
 * plain tables, WebAssembly vectors, and relaxed ones, which save an instruction on machines that have them.
 */
import { productsOf } from "./gf256.ts";
import type { Matrix } from "./matrix.ts";
import { RELAXED_KERNEL, SIMD_KERNEL } from "./reed_solomon_kernel.ts";
import { type SimdKernel, SimdProduct } from "./simd.ts";

/** How products are computed, from the slowest to the fastest. */
export const KERNELS = ["table", "simd", "relaxed"] as const;
/** One of {@link KERNELS}. */
export type KernelName = typeof KERNELS[number];

/** Measured on x86: below these, tables win by up to 5 %. */
const SIMD: SimdKernel = {
  code: SIMD_KERNEL,
  sumsFrom: { inputCount: 16, outputCount: 5 },
};
/** Tables win always. */
const RELAXED: SimdKernel = { code: RELAXED_KERNEL, sumsFrom: undefined };

/** Multiplies windows by one matrix: `outputs[r]` becomes the sum of `matrix[r][i] * inputs[i]`. */
export interface Product {
  /** Takes windows of one length; outputs must not overlap inputs. Borrows both lists. */
  apply(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void;
}

/** Whether this machine runs a kernel. */
export function runs(kernel: KernelName): boolean {
  switch (kernel) {
    case "table":
      return true;
    case "simd":
      return validates(SIMD);
    case "relaxed":
      return validates(RELAXED);
  }
}

/** A product with the matrix, which must not change; by the fastest kernel unless one is named. */
export function productWith(matrix: Matrix, kernel?: KernelName): Product {
  switch (kernel ?? fastest()) {
    case "table":
      return new TableProduct(matrix);
    case "simd":
      return new SimdProduct(matrix, SIMD);
    case "relaxed":
      return new SimdProduct(matrix, RELAXED);
  }
}

let known: KernelName | undefined;

function fastest(): KernelName {
  return known ??= KERNELS.findLast(runs)!;
}

function validates({ code }: SimdKernel): boolean {
  return WebAssembly.validate(Uint8Array.fromBase64(code));
}

/** A look-up for every byte: for machines without vectors, and to check the kernels against. */
class TableProduct implements Product {
  readonly #rows: readonly (readonly Uint8Array[])[];

  constructor(matrix: Matrix) {
    this.#rows = matrix.map((row) => Array.from(row, productsOf));
  }

  apply(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    this.#rows.forEach((row, r) => {
      const output = outputs[r]!;
      output.fill(0);
      row.forEach((products, i) => {
        const input = inputs[i]!;
        for (let at = 0; at < output.length; at++) {
          output[at]! ^= products[input[at]!]!;
        }
      });
    });
  }
}
