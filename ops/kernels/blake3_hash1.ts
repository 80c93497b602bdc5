/** One input at a time, its state spread over the lanes row by row. Section numbers are those of the BLAKE3 paper. */
import { four, IV, mix, OUT_AT, schedule } from "./blake3_rounds.ts";
import {
  constants,
  type Four,
  func,
  get,
  i32,
  type Lanes,
  lines,
  load,
  minus,
  names,
  or,
  plus,
  set,
  shuffleLanes,
  splat,
  store,
  when,
  xor,
} from "./wat.ts";

const BLOCK_BYTES = 64;
/** The rows of the state. */
const STATE = four("r");
const LAST_BLOCK = `(i32.le_u ${get("length")} ${i32(BLOCK_BYTES)})`;

/** Which words of the message a vector holds. */
type Words = readonly number[];

/**
 * `hash1(value, at, length, counter, counterHigh, flags, first, last)`: one input of up to 16 blocks that starts from
 * the chaining value at `value`. Writes all 64 bytes of output, and behind them the chaining value its last block
 * started from, from which further output can be made (2.6). The bytes after `length` in the last block must be zero.
 */
export function hash1(): string {
  return func({
    name: "hash1",
    exported: false,
    params: [
      "value",
      "at",
      "length",
      "counter",
      "counterHigh",
      "flags",
      "first",
      "last",
    ],
    words: ["size", "blockFlags"],
    vectors: [...STATE, ...names("a", 4), ...names("b", 4), "h0", "h1"],
  }, [
    set("h0", load(get("value"))),
    set("h1", load(get("value"), 16)),
    set("blockFlags", or(get("flags"), get("first"))),
    "(block $done (loop $block",
    set("size", i32(BLOCK_BYTES)),
    when(LAST_BLOCK, [
      set("size", get("length")),
      set("blockFlags", or(get("blockFlags"), get("last"))),
      store(i32(OUT_AT), get("h0"), 64),
      store(i32(OUT_AT), get("h1"), 80),
    ]),
    start(),
    rounds(),
    when(LAST_BLOCK, [
      store(i32(OUT_AT), xor(get("r0"), get("r2"))),
      store(i32(OUT_AT), xor(get("r1"), get("r3")), 16),
      store(i32(OUT_AT), xor(get("r2"), get("h0")), 32),
      store(i32(OUT_AT), xor(get("r3"), get("h1")), 48),
      "(br $done)",
    ]),
    set("h0", xor(get("r0"), get("r2"))),
    set("h1", xor(get("r1"), get("r3"))),
    set("blockFlags", get("flags")),
    set("at", plus(get("at"), i32(BLOCK_BYTES))),
    set("length", minus(get("length"), i32(BLOCK_BYTES))),
    "(br $block)))",
  ]);
}

/** The message of the first round in `a`, and the state before it (2.2). */
function start(): string {
  const inMemory = [0, 4, 8, 12].map((first) =>
    [0, 1, 2, 3].map((word) => first + word)
  );
  const last = ["counter", "counterHigh", "size", "blockFlags"].reduce(
    (row, name, lane) => `(i32x4.replace_lane ${lane} ${row} ${get(name)})`,
    splat(0),
  );
  return lines([
    four("b").map((b, i) => set(b, load(get("at"), 16 * i))),
    vectorsOf(schedule()[0]!).map((words, i) =>
      set(`a${i}`, gather(words, inMemory, four("b")))
    ),
    set("r0", get("h0")),
    set("r1", get("h1")),
    set("r2", constants([IV[0], IV[1], IV[2], IV[3]])),
    set("r3", last),
  ]);
}

/** All rounds, the message of each in `a` and `b` by turns. */
function rounds(): string {
  const orders = schedule();
  return lines(orders.map((order, round) => {
    const [now, next] = round % 2 === 0
      ? [four("a"), four("b")]
      : [four("b"), four("a")];
    const following = orders[round + 1];
    return [
      mix(STATE, [get(now[0]), get(now[1])]),
      turn({ r0: [3, 0, 1, 2], r3: [2, 3, 0, 1], r2: [1, 2, 3, 0] }),
      mix(STATE, [get(now[2]), get(now[3])]),
      turn({ r0: [1, 2, 3, 0], r3: [2, 3, 0, 1], r2: [3, 0, 1, 2] }),
      following === undefined
        ? []
        : vectorsOf(following).map((words, i) =>
          set(next[i]!, gather(words, vectorsOf(order), now))
        ),
    ];
  }));
}

/**
 * The four vectors of a round: first and second words of the columns, then of the diagonals. Those begin with the last
 * diagonal, because {@link turn} leaves row 1 in its place.
 */
function vectorsOf(order: Words): readonly Words[] {
  return [[0, 2, 4, 6], [1, 3, 5, 7], [14, 8, 10, 12], [15, 9, 11, 13]]
    .map((places) => places.map((place) => order[place]!));
}

/** Moves between columns and diagonals. Row 1 stays, since every next step waits for it. */
function turn(rows: Readonly<Record<string, Lanes>>): string[] {
  return Object.entries(rows).map(([row, picks]) =>
    set(row, shuffleLanes(picks, get(row), get(row)))
  );
}

/** A vector of four words that lie anywhere in the vectors `from`, in as few shuffles as their spread allows. */
function gather(
  words: Words,
  from: readonly Words[],
  vectors: Four,
): string {
  const home = words.map((word) =>
    from.findIndex((held) => held.includes(word))
  );
  const lane = words.map((word, i) => from[home[i]!]!.indexOf(word));
  const [base, ...rest] = [...new Set(home)];
  const others = rest.length > 0 ? rest : [base!];
  return others.reduce((made, other, step) => {
    // The first shuffle moves lanes of `base` to their places; later ones leave what is in place.
    const pick = (i: number): number => {
      if (home[i] === other) return 4 + lane[i]!;
      return step === 0 && home[i] === base ? lane[i]! : i;
    };
    const picks: Lanes = [pick(0), pick(1), pick(2), pick(3)];
    return shuffleLanes(picks, made, get(vectors[other]!));
  }, get(vectors[base!]!));
}
