/** Matrices over GF(2^8), as rows of bytes. Functions borrow their arguments and return fresh rows. */
import { assert } from "@tesseras/core";
import { inverse, multiply, powerOf, productsOf } from "./gf256.ts";

/** Rows of equal length. */
export type Matrix = readonly Uint8Array[];

/**
 * The generator of a systematic code: the data rows are the identity, so that data shards are the data itself, and any
 * `columns` rows are independent. A Vandermonde matrix, row r holding the powers of r, multiplied by the inverse of its
 * top (Plank and Ding, "Note: Correction to the 1997 Tutorial on Reed-Solomon Coding", 2003).
 */
export function systematicVandermonde(rows: number, columns: number): Matrix {
  const vandermonde = Array.from(
    { length: rows },
    (_, r) => Uint8Array.from({ length: columns }, (_, c) => powerOf(r, c)),
  );
  return product(vandermonde, inverted(vandermonde.slice(0, columns)));
}

/** The matrix product `left * right`. */
export function product(left: Matrix, right: Matrix): Matrix {
  const columns = right[0]?.length ?? 0;
  return left.map((row) => {
    const sum = new Uint8Array(columns);
    row.forEach((factor, i) => addScaled(sum, right[i]!, factor));
    return sum;
  });
}

/** The inverse of a square matrix with independent rows (Gauss and Jordan). */
export function inverted(matrix: Matrix): Matrix {
  const size = matrix.length;
  // Each row is followed by its row of the identity, which becomes the inverse.
  const rows = matrix.map((row, r) => {
    const wide = new Uint8Array(2 * size);
    wide.set(row);
    wide[size + r] = 1;
    return wide;
  });
  for (let column = 0; column < size; column++) {
    const pivot = rows.findIndex((row, r) => r >= column && row[column] !== 0);
    assert(pivot >= 0, "rows of a systematic Vandermonde are independent");
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const row = rows[column]!;
    const scale = inverse(row[column]!);
    for (let i = 0; i < row.length; i++) row[i] = multiply(row[i]!, scale);
    rows.forEach((other, r) => {
      if (r !== column) addScaled(other, row, other[column]!);
    });
  }
  return rows.map((row) => row.slice(size));
}

function addScaled(sum: Uint8Array, row: Uint8Array, factor: number): void {
  if (factor === 0) return;
  const products = productsOf(factor);
  for (let i = 0; i < row.length; i++) sum[i]! ^= products[row[i]!]!;
}
