/**
 * The part of the Reed-Solomon kernel for many outputs: a product of a matrix over GF(2^8) with windows of bytes that
 * looks nothing up and only adds.
 *
 * A coefficient is a sum of powers of two, so each output is the sum over eight bits b of 2^b times the sum of those
 * inputs whose coefficient has bit b. All sums of four neighbouring inputs are made once for all outputs (Arlazarov,
 * Dinic, Kronrod, Faradzhev, "On economical construction of the transitive closure of a directed graph", 1970), so that
 * an output takes one addition for each bit and four inputs. Where a shuffle costs two instructions, as the plain
 * `i8x16.swizzle` does on x86, this is the faster way from some outputs on.
 *
 * @module
 */
import {
  and,
  type Body,
  func,
  get,
  i32,
  lines,
  load,
  loadWord16,
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

/** Inputs whose sums are made together, and how many sums those have: one for each choice of them. */
const INPUTS = 4;
const SUMS = 1 << INPUTS;
/** Columns of 16 bytes made in one pass: four sums in each, with three constants and addresses, fill the registers of x86. */
const COLUMNS = [0, 1, 2] as const;
const VECTOR_BYTES = 16;
const STEP_BYTES = COLUMNS.length * VECTOR_BYTES;
/** Bits of a coefficient that are added up in one pass over the sums. */
const BITS = [3, 2, 1, 0] as const;
/** Fours of inputs whose sums are added in one turn. */
const FOURS = 2;
/** Bytes of the address of a sum. */
const ADDRESS_BYTES = 2;
const PASS_BYTES = BITS.length * ADDRESS_BYTES;
/** x^8 + x^4 + x^3 + x^2 + 1 without its highest term. */
const POLYNOMIAL = 0x1d;

/**
 * `sums(inputs, pairs, outputs, rows, choices, stride, length)`: writes `rows` output windows of `length` bytes (a
 * multiple of 48), `stride` apart from `outputs`, each a sum of 8 times `pairs` input windows, `stride` apart from
 * `inputs`. `choices` holds, row by row, for the high and then the low half of the coefficients' bits, for every four
 * inputs, from the highest bit of the half to its lowest, the address of the sum of those inputs that have the bit: 16
 * bits. Sums lie at address 0, those of four inputs behind each other by the number whose bit i chooses input i. That
 * of no input is never written and must be zero.
 */
export function sums(): string {
  return func({
    name: "sums",
    exported: true,
    params: [
      "inputs",
      "pairs",
      "outputs",
      "rows",
      "choices",
      "stride",
      "length",
    ],
    words: ["at", "from", "input", "left", "choice", "row", "output"],
    vectors: [
      "polynomial",
      "sum",
      ...names("x", INPUTS),
      ...COLUMNS.map(total),
      ...BITS.flatMap((bit) => COLUMNS.map((column) => added(bit, column))),
    ],
  }, [
    set("polynomial", `(i8x16.splat ${i32(POLYNOMIAL)})`),
    whileNotZero("window", "length", [
      makeSums(),
      set("choice", get("choices")),
      set("output", get("outputs")),
      set("row", get("rows")),
      times("each_row", "row", [
        addHalf("high"),
        addHalf("low"),
        COLUMNS.map((column) =>
          store(get("output"), get(total(column)), VECTOR_BYTES * column)
        ),
        set("output", plus(get("output"), get("stride"))),
      ]),
      set("inputs", plus(get("inputs"), i32(STEP_BYTES))),
      set("outputs", plus(get("outputs"), i32(STEP_BYTES))),
      set("length", minus(get("length"), i32(STEP_BYTES))),
    ]),
  ]);
}

const added = (bit: number, column: number): string => `a${bit}_${column}`;
const total = (column: number): string => `t${column}`;

/** All sums of every four inputs, for the columns of this pass. */
function makeSums(): string {
  return lines([
    set("from", get("inputs")),
    set("at", i32(0)),
    set("left", `(i32.mul ${get("pairs")} ${i32(FOURS)})`),
    times("each_four", "left", [
      COLUMNS.map((column) => [
        set("input", get("from")),
        names("x", INPUTS).map((x) => [
          set(x, load(get("input"), VECTOR_BYTES * column)),
          set("input", plus(get("input"), get("stride"))),
        ]),
        set("sum", splat(0)),
        storeSums(column),
      ]),
      set("from", get("input")),
      set("at", plus(get("at"), i32(SUMS * STEP_BYTES))),
    ]),
  ]);
}

/** One input comes or goes from each sum to the next, as in a Gray code, so that each takes one addition. */
function storeSums(column: number): Body {
  let chosen = 0;
  return Array.from({ length: SUMS - 1 }, (_, i) => {
    const changed = Math.log2((i + 1) & -(i + 1));
    chosen ^= 1 << changed;
    const offset = chosen * STEP_BYTES + VECTOR_BYTES * column;
    return [
      set("sum", xor(get("sum"), get(`x${changed}`))),
      store(get("at"), get("sum"), offset),
    ];
  });
}

/** The sums of four bits of the coefficients, and what they add to the row's totals. */
function addHalf(half: "high" | "low"): string {
  return lines([
    // The first turn begins the sums, the others add to them.
    BITS.map((bit, i) => begin(bit, i)),
    nextTurn(),
    set("left", minus(get("pairs"), i32(1))),
    whileNotZero(`each_pair_${half}`, "left", [
      Array.from({ length: FOURS }, (_, four) =>
        BITS.map((bit, i) => [
          set("at", choice(four, i)),
          COLUMNS.map((column) =>
            set(
              added(bit, column),
              xor(get(added(bit, column)), sumAt("at", column)),
            )
          ),
        ])),
      nextTurn(),
      set("left", minus(get("left"), i32(1))),
    ]),
    COLUMNS.map((column) =>
      BITS.map((bit) => {
        const first = half === "high" && bit === BITS[0];
        const sum = get(added(bit, column));
        return set(
          total(column),
          first ? sum : xor(doubled(get(total(column))), sum),
        );
      })
    ),
  ]);
}

function begin(bit: number, i: number): Body {
  return [
    set("at", choice(0, i)),
    set("from", choice(1, i)),
    COLUMNS.map((column) =>
      set(
        added(bit, column),
        xor(sumAt("at", column), sumAt("from", column)),
      )
    ),
  ];
}

const nextTurn = (): string =>
  set("choice", plus(get("choice"), i32(FOURS * PASS_BYTES)));

const choice = (four: number, bitPlace: number): string =>
  loadWord16(get("choice"), four * PASS_BYTES + bitPlace * ADDRESS_BYTES);

const sumAt = (address: string, column: number): string =>
  load(get(address), VECTOR_BYTES * column);

/** Sixteen elements times two: shifted left, and reduced where the highest bit fell out. */
const doubled = (vector: string): string =>
  xor(
    `(i8x16.add ${vector} ${vector})`,
    and(`(i8x16.lt_s ${vector} ${splat(0)})`, get("polynomial")),
  );
