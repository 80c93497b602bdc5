/**
 * WebAssembly text, built from TypeScript: the few instructions our kernels are made of. Every function returns text;
 * nothing runs. A `v128` holds four 32-bit lanes or sixteen bytes; everything else is a 32-bit word.
 *
 * @module
 */

/** Four lane numbers. */
export type Lanes = readonly [number, number, number, number];
/** Four names or expressions. */
export type Four = readonly [string, string, string, string];
/** Statements, nested as it suits whoever makes them. */
export type Body = readonly (string | Body)[];

/** A function: its name, whether others may call it, and its variables. Words and vectors begin as zero. */
export type Head = {
  readonly name: string;
  readonly exported: boolean;
  readonly params: readonly string[];
  readonly words?: readonly string[];
  readonly vectors?: readonly string[];
  readonly returnsWord?: boolean;
};

/** A function of 32-bit words. */
export function func(head: Head, body: Body): string {
  const declare = (keyword: string, type: string, names: readonly string[]) =>
    names.map((name) => `(${keyword} $${name} ${type})`);
  return lines([
    `(func $${head.name}`,
    head.exported ? `(export "${head.name}")` : "",
    declare("param", "i32", head.params),
    head.returnsWord ? "(result i32)" : "",
    declare("local", "i32", head.words ?? []),
    declare("local", "v128", head.vectors ?? []),
    body,
    ")",
  ]);
}

/** Repeats the body until the word is zero, which may be from the start. `name` labels the loop. */
export function whileNotZero(name: string, word: string, body: Body): string {
  return lines([
    `(block $${name}_end (loop $${name}`,
    `(br_if $${name}_end (i32.eqz ${get(word)}))`,
    body,
    `(br $${name})))`,
  ]);
}

/** Runs the body as often as the word says, which is at least once and counts down to zero. */
export function times(name: string, word: string, body: Body): string {
  const less = `(local.tee $${word} ${minus(get(word), i32(1))})`;
  return lines([`(loop $${name}`, body, `(br_if $${name} ${less}))`]);
}

/** Runs the body when the word is not zero. */
export const when = (word: string, body: Body): string =>
  lines([`(if ${word} (then`, body, "))"]);

/** Statements, one a line. */
export function lines(body: Body): string {
  return body
    .map((part) => typeof part === "string" ? part : lines(part))
    .filter((text) => text !== "")
    .join("\n");
}

/** The names `prefix0`, `prefix1` and so on. */
export const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Calls a function of ours. */
export const call = (name: string, params: readonly string[]): string =>
  `(call $${name} ${params.join(" ")})`;

/** Reads a variable. */
export const get = (name: string): string => `(local.get $${name})`;

/** Writes a variable. */
export const set = (name: string, value: string): string =>
  `(local.set $${name} ${value})`;

/** A constant word. */
export const i32 = (value: number): string => `(i32.const ${value})`;

/** Sum of two words. */
export const plus = (a: string, b: string): string => `(i32.add ${a} ${b})`;

/** Difference of two words. */
export const minus = (a: string, b: string): string => `(i32.sub ${a} ${b})`;

/** Bits of either word. */
export const or = (a: string, b: string): string => `(i32.or ${a} ${b})`;

/** A word times a power of two. */
export const shiftLeft = (word: string, bits: number): string =>
  `(i32.shl ${word} ${i32(bits)})`;

/** One constant in every lane. */
export const splat = (value: number): string =>
  constants([value, value, value, value]);

/** Four constants. */
export const constants = (lanes: Lanes): string =>
  `(v128.const i32x4 ${lanes.join(" ")})`;

/** One word in every lane. */
export const spread = (word: string): string => `(i32x4.splat ${word})`;

/** One word of the memory in every lane. */
export const loadSpread = (at: string, offset: number): string =>
  `(v128.load32_splat offset=${offset} ${at})`;

/** Lane-wise sum modulo 2^32. */
export const add = (a: string, b: string): string => `(i32x4.add ${a} ${b})`;

/** Bit-wise exclusive or. */
export const xor = (a: string, b: string): string => `(v128.xor ${a} ${b})`;

/** Bit-wise and. */
export const and = (a: string, b: string): string => `(v128.and ${a} ${b})`;

/** Loads 16 bytes. */
export const load = (at: string, offset = 0): string =>
  `(v128.load offset=${offset} ${at})`;

/** Loads a word of 16 bits, as a number from 0. */
export const loadWord16 = (at: string, offset = 0): string =>
  `(i32.load16_u offset=${offset} ${at})`;

/** Stores 16 bytes. */
export const store = (at: string, value: string, offset = 0): string =>
  `(v128.store offset=${offset} ${at} ${value})`;

/** Picks bytes: 0 to 15 of the first vector, 16 to 31 of the second. */
export const shuffleBytes = (
  picks: readonly number[],
  a: string,
  b: string,
): string => `(i8x16.shuffle ${picks.join(" ")} ${a} ${b})`;

/** Picks lanes: 0 to 3 of the first vector, 4 to 7 of the second. */
export const shuffleLanes = (picks: Lanes, a: string, b: string): string =>
  shuffleBytes(
    picks.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
    a,
    b,
  );

/**
 * Rotates every lane of a variable right. Whole bytes move by one shuffle, which is a single instruction; the rest takes
 * two shifts.
 */
export function rotateRight(name: string, bits: number): string {
  const value = get(name);
  if (bits % 8 === 0) {
    const picks = Array.from(
      { length: 16 },
      (_, byte) => (byte & ~3) | ((byte + bits / 8) & 3),
    );
    return shuffleBytes(picks, value, value);
  }
  return `(v128.or (i32x4.shr_u ${value} ${i32(bits)}) ` +
    `(i32x4.shl ${value} ${i32(32 - bits)}))`;
}
