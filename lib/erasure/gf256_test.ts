import { assertEquals } from "@tesseras/testing";
import { inverse, multiply, powerOf, productsOf } from "./gf256.ts";

/** The product by the book: carry-less multiplication, reduced bit by bit. */
function multiplySlowly(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1;
    if (product & 0x100) product ^= 0x11d;
    if (b >> bit & 1) product ^= a;
  }
  return product;
}

Deno.test("multiplies as polynomials modulo 0x11d do, all pairs", () => {
  for (let a = 0; a < 256; a++) {
    const products = productsOf(a);
    for (let b = 0; b < 256; b++) {
      const wanted = multiplySlowly(a, b);
      if (multiply(a, b) !== wanted || products[b] !== wanted) {
        assertEquals([a, b, multiply(a, b), products[b]], [
          a,
          b,
          wanted,
          wanted,
        ]);
      }
    }
  }
});

Deno.test("inverts every element but zero", () => {
  for (let a = 1; a < 256; a++) assertEquals(multiply(a, inverse(a)), 1);
});

Deno.test("raises to powers as repeated multiplication does", () => {
  for (let a = 0; a < 256; a++) {
    let product = 1;
    for (let count = 0; count < 300; count++) {
      assertEquals(powerOf(a, count), product);
      product = multiply(product, a);
    }
  }
});
