import { SeededRandom, shuffled } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { inverted, product, systematicVandermonde } from "./matrix.ts";

const identity = (size: number) =>
  Array.from({ length: size }, (_, row) => {
    const bytes = new Uint8Array(size);
    bytes[row] = 1;
    return bytes;
  });

Deno.test("leaves the data rows alone", () => {
  for (const [rows, columns] of [[1, 1], [24, 16], [72, 48]] as const) {
    const matrix = systematicVandermonde(rows, columns);
    assertEquals(matrix.length, rows);
    assertEquals(matrix.slice(0, columns), identity(columns));
  }
});

Deno.test("has an inverse for any choice of rows", () => {
  const random = new SeededRandom(2);
  const matrix = systematicVandermonde(256, 20);
  for (let i = 0; i < 50; i++) {
    const rows = shuffled(matrix, random).slice(0, 20);
    assertEquals(product(inverted(rows), rows), identity(20));
    assertEquals(product(rows, inverted(rows)), identity(20));
  }
});

Deno.test("does not change what it borrows", () => {
  const matrix = systematicVandermonde(8, 4).slice(4);
  const before = matrix.map((row) => row.slice());
  inverted(matrix);
  product(matrix, matrix);
  assertEquals(matrix, before);
  assertTrue(matrix.every((row) => row.every((element) => element !== 0)));
});
