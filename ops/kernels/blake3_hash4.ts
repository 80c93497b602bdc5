/** Four chunks or four parents at a time, one in each lane. Section numbers are those of the BLAKE3 paper. */
import {
  four,
  IV,
  KEY_AT,
  mapFour,
  roundsOfFour,
  transpose,
} from "./blake3_rounds.ts";
import {
  add,
  constants,
  func,
  get,
  i32,
  lines,
  load,
  loadSpread,
  minus,
  names,
  or,
  plus,
  set,
  shiftLeft,
  splat,
  spread,
  store,
  times,
  when,
  whileNotZero,
  xor,
} from "./wat.ts";

const BLOCK_BYTES = 64;
const VALUE_BYTES = 32;
/** The address of the next block of each input. */
const POINTERS = four("p");

/**
 * `hash4(at, stride, blocks, groups, counter, counterHigh, step, flags, first, last, out)`: chaining values of
 * `groups` times four inputs of `blocks` blocks, `stride` bytes apart. `step` is 1 for chunks, whose counters follow
 * each other, and 0 for parents. `first` and `last` are added to the flags of the first and last block.
 */
export function hash4(): string {
  return func({
    name: "hash4",
    exported: false,
    params: [
      "at",
      "stride",
      "blocks",
      "groups",
      "counter",
      "counterHigh",
      "step",
      "flags",
      "first",
      "last",
      "out",
    ],
    words: ["left", "blockFlags", ...POINTERS],
    vectors: [
      ...names("v", 16),
      ...names("m", 16),
      ...names("h", 8),
      ...names("t", 4),
      "low",
      "high",
    ],
  }, [
    set("high", spread(get("counterHigh"))),
    whileNotZero("group", "groups", [
      startGroup(),
      times("block", "left", [
        when(`(i32.eq ${get("left")} ${i32(1)})`, [
          set("blockFlags", or(get("blockFlags"), get("last"))),
        ]),
        loadMessage(),
        compress(),
        POINTERS.map((p) => set(p, plus(get(p), i32(BLOCK_BYTES)))),
        set("blockFlags", get("flags")),
      ]),
      storeValues(),
      set("at", plus(get("at"), shiftLeft(get("stride"), 2))),
      set("out", plus(get("out"), i32(4 * VALUE_BYTES))),
      set("counter", plus(get("counter"), shiftLeft(get("step"), 2))),
      set("groups", minus(get("groups"), i32(1))),
    ]),
  ]);
}

/** Key words, counters, addresses and flags of four inputs. */
function startGroup(): string {
  const offsets = `(i32x4.mul ${spread(get("step"))} ${
    constants([0, 1, 2, 3])
  })`;
  return lines([
    names("h", 8).map((h, i) => set(h, loadSpread(i32(0), KEY_AT + 4 * i))),
    set("low", add(spread(get("counter")), offsets)),
    set("p0", get("at")),
    set("p1", plus(get("p0"), get("stride"))),
    set("p2", plus(get("p1"), get("stride"))),
    set("p3", plus(get("p2"), get("stride"))),
    set("left", get("blocks")),
    set("blockFlags", or(get("flags"), get("first"))),
  ]);
}

/** Word i of the four blocks into `m` i. */
function loadMessage(): string {
  return lines([0, 1, 2, 3].map((quarter) =>
    transpose(
      mapFour(POINTERS, (p) => load(get(p), 16 * quarter)),
      four("m", 4 * quarter),
    )
  ));
}

/** The compression function (2.2) from `h` and `m` into `h`, cut to a chaining value. */
function compress(): string {
  return lines([
    names("h", 8).map((h, i) => set(`v${i}`, get(h))),
    [0, 1, 2, 3].map((i) => set(`v${8 + i}`, splat(IV[i]!))),
    set("v12", get("low")),
    set("v13", get("high")),
    set("v14", splat(BLOCK_BYTES)),
    set("v15", spread(get("blockFlags"))),
    roundsOfFour((index) => get(`m${index}`)),
    names("h", 8).map((h, i) => set(h, xor(get(`v${i}`), get(`v${i + 8}`)))),
  ]);
}

function storeValues(): string {
  return lines([0, 1].map((half) => [
    transpose(mapFour(four("h", 4 * half), get), four("m")),
    four("m").map((m, lane) =>
      store(get("out"), get(m), VALUE_BYTES * lane + 16 * half)
    ),
  ]));
}
