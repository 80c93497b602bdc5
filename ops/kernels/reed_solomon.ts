/**
 * The Reed-Solomon kernel as WebAssembly text: a product of a matrix over GF(2^8) with windows of bytes.
 *
 * A product with a constant c is linear, so c*x is c*(low nibble) + c*(high nibble): two tables of 16 bytes, looked up
 * sixteen at a time by one shuffle each (Plank, Greenan, Miller, "Screaming Fast Galois Field Arithmetic Using Intel
 * SIMD Instructions", FAST 2013).
 *
 * @module
 */
import { sums } from "./reed_solomon_sums.ts";
import {
  and,
  type Body,
  func,
  get,
  i32,
  lines,
  load,
  minus,
  names,
  plus,
  set,
  splat,
  store,
  times,
  whileNotZero,
  xor,
} from "./wat.ts";

/**
 * Output rows made in one pass over the inputs. With four, eight sums, inputs and tables still fit the sixteen registers
 * of x86; the smaller ones keep what is left over from costing as much.
 */
const ROWS = [1, 2, 4] as const;
/** Columns of 16 bytes made in one pass. */
const COLUMNS = [0, 1] as const;
const VECTOR_BYTES = 16;
const STEP_BYTES = COLUMNS.length * VECTOR_BYTES;
/** Bytes of tables for one coefficient: its products with 0x00 to 0x0f, then with 0x00 to 0xf0. */
const TABLE_BYTES = 32;

/**
 * The module, with one MiB of memory of its own, laid out by lib/erasure/simd.ts. With plain shuffles it has a second way
 * for many outputs, which does without them.
 *
 * @param shuffle plain ones, or relaxed ones, which save an instruction where indices are below 16
 */
export function reedSolomonWat(shuffle: "plain" | "relaxed"): string {
  const swizzle = shuffle === "plain"
    ? "i8x16.swizzle"
    : "i8x16.relaxed_swizzle";
  return lines([
    '(module (memory (export "memory") 16 16)',
    ROWS.map((rowCount) => multiply(rowCount, swizzle)),
    shuffle === "plain" ? sums() : "",
    ")",
  ]);
}

/**
 * `multiplyN(inputs, count, outputs, tables, stride, length)`: writes N output windows of `length` bytes (a multiple
 * of 32), `stride` apart from `outputs`, each a sum of `count` input windows, `stride` apart from `inputs`. `tables`
 * holds, input by input, the tables of each row's coefficient.
 */
function multiply(rowCount: number, swizzle: string): string {
  const rows = Array.from({ length: rowCount }, (_, row) => row);
  return func({
    name: `multiply${rowCount}`,
    exported: true,
    params: ["inputs", "count", "outputs", "tables", "stride", "length"],
    words: ["input", "table", "left", "output"],
    vectors: [
      ...rows.flatMap((row) => COLUMNS.map((column) => sum(row, column))),
      ...names("l", COLUMNS.length),
      ...names("h", COLUMNS.length),
      "low",
      "high",
      "mask",
    ],
  }, [
    set("mask", `(i8x16.splat ${i32(0x0f)})`),
    whileNotZero("window", "length", [
      rows.map((row) =>
        COLUMNS.map((column) => set(sum(row, column), splat(0)))
      ),
      set("input", get("inputs")),
      set("table", get("tables")),
      set("left", get("count")),
      times("each", "left", [
        COLUMNS.map(loadNibbles),
        rows.map((row) => addProducts(row, swizzle)),
        set("input", plus(get("input"), get("stride"))),
        set("table", plus(get("table"), i32(TABLE_BYTES * rowCount))),
      ]),
      set("output", get("outputs")),
      rows.map((row) => [
        COLUMNS.map((column) =>
          store(get("output"), get(sum(row, column)), VECTOR_BYTES * column)
        ),
        set("output", plus(get("output"), get("stride"))),
      ]),
      set("inputs", plus(get("inputs"), i32(STEP_BYTES))),
      set("outputs", plus(get("outputs"), i32(STEP_BYTES))),
      set("length", minus(get("length"), i32(STEP_BYTES))),
    ]),
  ]);
}

const sum = (row: number, column: number): string => `s${row}_${column}`;

/** The low and high halves of sixteen bytes of input. */
function loadNibbles(column: number): string[] {
  const [low, high] = [`l${column}`, `h${column}`];
  return [
    set(high, load(get("input"), VECTOR_BYTES * column)),
    set(low, and(get(high), get("mask"))),
    // A shift of bytes would bring its own mask along every time: x86 shifts no narrower than sixteen bits.
    set(high, and(`(i16x8.shr_u ${get(high)} ${i32(4)})`, get("mask"))),
  ];
}

/** Adds the input's product with the row's coefficient to its sums. */
function addProducts(row: number, swizzle: string): Body {
  const lookUp = (table: string, nibbles: string) =>
    `(${swizzle} ${get(table)} ${get(nibbles)})`;
  return [
    set("low", load(get("table"), TABLE_BYTES * row)),
    set("high", load(get("table"), TABLE_BYTES * row + TABLE_BYTES / 2)),
    COLUMNS.map((column) => {
      const product = xor(
        lookUp("low", `l${column}`),
        lookUp("high", `h${column}`),
      );
      return set(sum(row, column), xor(get(sum(row, column)), product));
    }),
  ];
}
