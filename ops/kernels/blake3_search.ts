/** Four nonces of a proof of work at a time, one in each lane. */
import { FLAGS, IV, roundsOfFour } from "./blake3_rounds.ts";
import {
  add,
  and,
  constants,
  func,
  get,
  i32,
  lines,
  loadSpread,
  minus,
  names,
  plus,
  set,
  shuffleBytes,
  splat,
  spread,
  when,
  whileNotZero,
  xor,
} from "./wat.ts";

/** Bytes of a key and a nonce. */
const INPUT_BYTES = 40;

/**
 * `search(at, highWord, lowWord, groups, mask)`: hashes the 32 bytes at `at` followed by a nonce of eight bytes,
 * big-endian, for `groups` times four nonces from `highWord * 2^32 + lowWord`. Returns how many came before the first
 * whose hash has no bit of `mask` in its first word, or `4 * groups`. Where the low half wraps,
 * results mean nothing.
 */
export function search(): string {
  const keyWords = names("k", 8);
  const matches = and(xor(get("v0"), get("v8")), get("wanted"));
  return func({
    name: "search",
    exported: true,
    params: ["at", "highWord", "lowWord", "groups", "mask"],
    returnsWord: true,
    words: ["tried", "found"],
    vectors: [
      ...names("v", 16),
      ...keyWords,
      "nonceHigh",
      "nonce",
      "count",
      "wanted",
    ],
  }, [
    keyWords.map((k, i) => set(k, loadSpread(get("at"), 4 * i))),
    set("nonceHigh", spread(get("highWord"))),
    set("nonceHigh", bigEndian("nonceHigh")),
    set("count", add(spread(get("lowWord")), constants([0, 1, 2, 3]))),
    set("wanted", spread(get("mask"))),
    whileNotZero("group", "groups", [
      set("nonce", bigEndian("count")),
      hash(),
      set("found", `(i32x4.bitmask (i32x4.eq ${matches} ${splat(0)}))`),
      when(get("found"), [
        `(return ${plus(get("tried"), `(i32.ctz ${get("found")})`)})`,
      ]),
      set("count", add(get("count"), splat(4))),
      set("tried", plus(get("tried"), i32(4))),
      set("groups", minus(get("groups"), i32(1))),
    ]),
    get("tried"),
  ]);
}

/** The compression of one block that is a whole input: key words, nonce, zeros. */
function hash(): string {
  const flags = FLAGS.chunkStart | FLAGS.chunkEnd | FLAGS.root;
  const word = (index: number): string => {
    if (index < 8) return get(`k${index}`);
    if (index === 8) return get("nonceHigh");
    return index === 9 ? get("nonce") : splat(0);
  };
  return lines([
    IV.map((value, i) => set(`v${i}`, splat(value))),
    [0, 1, 2, 3].map((i) => set(`v${8 + i}`, splat(IV[i]!))),
    set("v12", splat(0)),
    set("v13", splat(0)),
    set("v14", splat(INPUT_BYTES)),
    set("v15", splat(flags)),
    roundsOfFour(word),
  ]);
}

function bigEndian(name: string): string {
  const picks = Array.from({ length: 16 }, (_, byte) => byte ^ 3);
  return shuffleBytes(picks, get(name), get(name));
}
