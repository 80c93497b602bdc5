/**
 * What all functions of the BLAKE3 kernel are made of: constants, the mixing of state with message, and the turning of
 * four inputs into lanes. Section numbers are those of the BLAKE3 paper.
 *
 * @module
 */
import {
  add,
  type Four,
  get,
  type Lanes,
  rotateRight,
  set,
  shuffleLanes,
  xor,
} from "./wat.ts";

/** Initial chaining value (2.2, table 1): that of SHA-256. */
export const IV = [
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
] as const;
/** Domain separation (2.3, table 3). */
export const FLAGS = {
  chunkStart: 1,
  chunkEnd: 2,
  parent: 4,
  root: 8,
} as const;
/** Where the 32 bytes of key words lie that chunks and parents start from. */
export const KEY_AT = 0;
/** Where single inputs leave 64 bytes of output, and behind them the chaining value their last block started from. */
export const OUT_AT = 32;

/** Which word of the message takes each place in the next round (2.2, table 2). */
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const ROUNDS = 7;
/** Columns, then diagonals, of the 4x4 state (2.2). */
const QUARTERS: readonly Lanes[] = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/** The order of the message's words in each round. */
export function schedule(): readonly (readonly number[])[] {
  const rounds = [Array.from({ length: 16 }, (_, word) => word)];
  while (rounds.length < ROUNDS) {
    const last = rounds.at(-1)!;
    rounds.push(PERMUTATION.map((place) => last[place]!));
  }
  return rounds;
}

/** The quarter-round G (2.2): mixes two vectors of the message into the variables `a b c d`. */
export function mix(
  state: Four,
  messages: readonly [string, string],
): string[] {
  return [
    ...halfMix(state, messages[0], [16, 12]),
    ...halfMix(state, messages[1], [8, 7]),
  ];
}

function halfMix(
  [a, b, c, d]: Four,
  message: string,
  [first, second]: readonly [number, number],
): string[] {
  return [
    set(a, add(add(get(a), get(b)), message)),
    set(d, xor(get(d), get(a))),
    set(d, rotateRight(d, first)),
    set(c, add(get(c), get(d))),
    set(b, xor(get(b), get(c))),
    set(b, rotateRight(b, second)),
  ];
}

/** All rounds over the variables `v0` to `v15`, each one word of four states; `word` gives the message. */
export function roundsOfFour(word: (index: number) => string): string[] {
  return schedule().flatMap((order) =>
    QUARTERS.flatMap(([a, b, c, d], i) =>
      mix([`v${a}`, `v${b}`, `v${c}`, `v${d}`], [
        word(order[2 * i]!),
        word(order[2 * i + 1]!),
      ])
    )
  );
}

/** Makes rows of columns: lane i of `to[j]` becomes lane j of `from[i]`. Uses the variables `t0` to `t3`. */
export function transpose(from: Four, to: Four): string[] {
  const [low, high]: readonly [Lanes, Lanes] = [[0, 4, 1, 5], [2, 6, 3, 7]];
  const [left, right]: readonly [Lanes, Lanes] = [[0, 1, 4, 5], [2, 3, 6, 7]];
  return [
    set("t0", shuffleLanes(low, from[0], from[1])),
    set("t1", shuffleLanes(high, from[0], from[1])),
    set("t2", shuffleLanes(low, from[2], from[3])),
    set("t3", shuffleLanes(high, from[2], from[3])),
    set(to[0], shuffleLanes(left, get("t0"), get("t2"))),
    set(to[1], shuffleLanes(right, get("t0"), get("t2"))),
    set(to[2], shuffleLanes(left, get("t1"), get("t3"))),
    set(to[3], shuffleLanes(right, get("t1"), get("t3"))),
  ];
}

/** The names `prefix` + `from` and the three after it. */
export function four(prefix: string, from = 0): Four {
  return [
    `${prefix}${from}`,
    `${prefix}${from + 1}`,
    `${prefix}${from + 2}`,
    `${prefix}${from + 3}`,
  ];
}

/** The same expression of four things. */
export const mapFour = (
  [a, b, c, d]: Four,
  make: (item: string) => string,
): Four => [make(a), make(b), make(c), make(d)];
