/**
 * The field GF(2^8) with polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d) and generator 2, as in most Reed-Solomon
 * libraries: sums are exclusive ors, products come from tables.
 */

/** x^8 + x^4 + x^3 + x^2 + 1. */
const POLYNOMIAL = 0x11d;
/** How many elements the field has. */
export const FIELD_SIZE = 256;
/** How many of them are not zero: powers of the generator repeat after this many. */
const ORDER = FIELD_SIZE - 1;

type Tables = {
  /** Power of the generator by exponent, written out twice so that a sum of two exponents needs no reduction. */
  readonly power: Uint8Array;
  /** Exponent by element; that of zero is never looked at. */
  readonly exponent: Uint8Array;
  /** The product of a and b at `a * FIELD_SIZE + b`. */
  readonly product: Uint8Array;
};

let shared: Tables | undefined;

/** Product of two elements. */
export function multiply(a: number, b: number): number {
  return tables().product[a * FIELD_SIZE + b]!;
}

/** All products of an element: 256 bytes by the other factor. Borrowed; not to be changed. */
export function productsOf(a: number): Uint8Array {
  return tables().product.subarray(a * FIELD_SIZE, (a + 1) * FIELD_SIZE);
}

/** The element that gives 1 when multiplied by `a`, which is not zero. */
export function inverse(a: number): number {
  const { power, exponent } = tables();
  return power[ORDER - exponent[a]!]!;
}

/** `a` multiplied by itself `count` times; 1 when `count` is 0, also for zero. */
export function powerOf(a: number, count: number): number {
  if (count === 0) return 1;
  if (a === 0) return 0;
  const { power, exponent } = tables();
  return power[exponent[a]! * count % ORDER]!;
}

function tables(): Tables {
  return shared ??= makeTables();
}

function makeTables(): Tables {
  const power = new Uint8Array(2 * ORDER);
  const exponent = new Uint8Array(FIELD_SIZE);
  let element = 1;
  for (let i = 0; i < ORDER; i++) {
    power[i] = power[i + ORDER] = element;
    exponent[element] = i;
    element <<= 1;
    if (element >= FIELD_SIZE) element ^= POLYNOMIAL;
  }
  const product = new Uint8Array(FIELD_SIZE * FIELD_SIZE);
  for (let a = 1; a < FIELD_SIZE; a++) {
    for (let b = 1; b < FIELD_SIZE; b++) {
      product[a * FIELD_SIZE + b] = power[exponent[a]! + exponent[b]!]!;
    }
  }
  return { power, exponent, product };
}
