import { concat, toHex, u32be, u64be, utf8 } from "@tesseras/core";
import { blake3, sha256 } from "@tesseras/crypto";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { decodeTexts } from "./decode_texts.ts";
import { KINDS } from "./kinds.ts";
import { README_TEXT } from "./texts/readme.ts";

// The decoders below are written from the texts alone, the way a stranger would, and must agree with the real ones.

const TEXTS = new Map(
  decodeTexts(new Set(KINDS.map(({ name }) => name)))
    .map(({ path, text }) => [path, text]),
);

/** All numbers of a passage: `digits` in the given base, between two marks of a text. */
function numbersIn(
  path: string,
  passage: {
    readonly from: string;
    readonly to: string;
    readonly base: number;
  },
): readonly number[] {
  const text = TEXTS.get(path)!;
  const start = text.indexOf(passage.from) + passage.from.length;
  const end = text.indexOf(passage.to, start);
  assertTrue(start >= passage.from.length && end > start, passage.from);
  const digits = passage.base === 16 ? /[0-9A-F]{8}/g : /\d+/g;
  return [...text.slice(start, end).matchAll(digits)]
    .map(([number]) => Number.parseInt(number, passage.base));
}

function turn(word: number, places: number): number {
  return (word >>> places) | (word << (32 - places));
}

Deno.test("every text is ASCII, in lines that any page holds", () => {
  for (
    const [path, text] of [...TEXTS, ["README.decode", README_TEXT]] as const
  ) {
    assertTrue(/^[\n\x20-\x7e]+$/.test(text), path);
    assertTrue(text.endsWith("\n"), path);
    for (const line of text.split("\n")) {
      assertTrue(line.length <= 78, `${path}: ${line}`);
      assertEquals(line, line.trimEnd(), path);
    }
  }
});

Deno.test("README.decode and formats.txt name the texts that there are", () => {
  const named = [...README_TEXT.matchAll(/decode\/([a-z0-9-]+\.txt)/g)]
    .map(([, name]) => `decode/${name}`);
  const inFormats = [
    ...TEXTS.get("decode/formats.txt")!.matchAll(/([a-z0-9-]+\.txt)\b/g),
  ]
    .map(([, name]) => `decode/${name}`).filter((path) =>
      path !== "decode/context.txt"
    );
  assertTrue(named.length >= 4);
  for (const path of [...named, ...inFormats]) {
    assertTrue(TEXTS.has(path), path);
  }
});

Deno.test("BLAKE3 as blake3.txt tells it is BLAKE3", () => {
  for (
    const length of [
      0,
      1,
      64,
      65,
      1_023,
      1_024,
      1_025,
      2_048,
      3_073,
      5_120,
      6_145,
    ]
  ) {
    const input = Uint8Array.from({ length }, (_, i) => (i * 31) & 255);
    assertEquals(
      toHex(toldBlake3(input)),
      toHex(blake3(input)),
      `${length} bytes`,
    );
  }
  const text = TEXTS.get("decode/blake3.txt")!;
  for (const input of ["", "abc"]) {
    assertTrue(text.includes(toHex(blake3(utf8(input))).toUpperCase()));
  }
});

const IV = numbersIn("decode/blake3.txt", {
  from: "called IV:",
  to: "The mixing",
  base: 16,
});
const PLACES = numbersIn("decode/blake3.txt", {
  from: "is the old",
  to: "The compression",
  base: 10,
});

function toldBlake3(input: Uint8Array): Uint8Array {
  const count = Math.max(1, Math.ceil(input.length / 1_024));
  const chunks = Array.from(
    { length: count },
    (_, i) => input.subarray(1_024 * i, 1_024 * (i + 1)),
  );
  return bytesOf(join(chunks, 0, true));
}

/** Joins the values of chunks; the topmost compression gets ROOT. */
function join(
  chunks: readonly Uint8Array[],
  first: number,
  isTop: boolean,
): readonly number[] {
  if (chunks.length === 1) return chunkValue(chunks[0]!, first, isTop);
  let left = 1;
  while (left * 2 < chunks.length) left *= 2;
  const message = [
    ...join(chunks.slice(0, left), first, false),
    ...join(chunks.slice(left), first + left, false),
  ];
  return compress(IV, message, [0, 64, 4 + (isTop ? 8 : 0)]);
}

function chunkValue(
  chunk: Uint8Array,
  index: number,
  isTop: boolean,
): readonly number[] {
  const blocks = Math.max(1, Math.ceil(chunk.length / 64));
  let h = IV;
  for (let i = 0; i < blocks; i++) {
    const block = chunk.subarray(64 * i, 64 * (i + 1));
    const filled = new Uint8Array(64);
    filled.set(block);
    const view = new DataView(filled.buffer);
    const message = Array.from(
      { length: 16 },
      (_, w) => view.getUint32(4 * w, true),
    );
    const isLast = i === blocks - 1;
    const flags = (i === 0 ? 1 : 0) + (isLast ? 2 : 0) +
      (isLast && isTop ? 8 : 0);
    h = compress(h, message, [index, block.length, flags]);
  }
  return h;
}

function compress(
  h: readonly number[],
  message: readonly number[],
  [t, b, flags]: readonly [number, number, number],
): readonly number[] {
  const v = [...h, ...IV.slice(0, 4), t, 0, b, flags];
  let m = message;
  const mix = (
    a: number,
    b: number,
    c: number,
    d: number,
    at: number,
  ): void => {
    v[a] = (v[a]! + v[b]! + m[at]!) >>> 0;
    v[d] = turn(v[d]! ^ v[a]!, 16);
    v[c] = (v[c]! + v[d]!) >>> 0;
    v[b] = turn(v[b]! ^ v[c]!, 12);
    v[a] = (v[a]! + v[b]! + m[at + 1]!) >>> 0;
    v[d] = turn(v[d]! ^ v[a]!, 8);
    v[c] = (v[c]! + v[d]!) >>> 0;
    v[b] = turn(v[b]! ^ v[c]!, 7);
  };
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 4; i++) mix(i, i + 4, i + 8, i + 12, 2 * i);
    for (let i = 0; i < 4; i++) {
      mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, 8 + 2 * i);
    }
    m = PLACES.map((place) => m[place]!);
  }
  return v.slice(0, 8).map((word, i) => (word ^ v[i + 8]!) >>> 0);
}

function bytesOf(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  words.forEach((word, i) =>
    new DataView(bytes.buffer).setUint32(4 * i, word, true)
  );
  return bytes;
}

Deno.test("SHA-256 as sha-256.txt tells it is SHA-256", () => {
  for (const length of [0, 3, 55, 56, 63, 64, 119, 1_000]) {
    const input = Uint8Array.from({ length }, (_, i) => i & 255);
    assertEquals(
      toHex(toldSha256(input)),
      toHex(sha256(input)),
      `${length} bytes`,
    );
  }
  const abc = toHex(sha256(utf8("abc"))).toUpperCase();
  assertTrue(TEXTS.get("decode/sha-256.txt")!.includes(abc));
});

/** The first 32 bits after the point of a root, by search with whole numbers. */
function rootBits(prime: number, power: bigint): number {
  const wanted = BigInt(prime) << (32n * power);
  let root = 0n;
  for (let bit = 40n; bit >= 0n; bit--) {
    const tried = root | (1n << bit);
    if (tried ** power <= wanted) root = tried;
  }
  return Number(root & 0xffff_ffffn);
}

function toldSha256(input: Uint8Array): Uint8Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  const H = primes.slice(0, 8).map((prime) => rootBits(prime, 2n));
  const K = primes.map((prime) => rootBits(prime, 3n));
  const zeros = new Uint8Array((119 - input.length % 64) % 64);
  const message = concat([
    input,
    Uint8Array.of(0x80),
    zeros,
    u64be(BigInt(8 * input.length)),
  ]);
  for (let block = 0; block < message.length; block += 64) {
    const view = new DataView(message.buffer, block, 64);
    const W = Array.from({ length: 16 }, (_, i) => view.getUint32(4 * i));
    for (let i = 16; i < 64; i++) {
      const [x, y] = [W[i - 15]!, W[i - 2]!];
      const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
      const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
      W[i] = (W[i - 16]! + s0 + W[i - 7]! + s1) >>> 0;
    }
    let [a, b, c, d, e, f, g, h] = H as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    for (let i = 0; i < 64; i++) {
      const S1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const T1 = (h + S1 + ((e & f) ^ (~e & g)) + K[i]! + W[i]!) >>> 0;
      const S0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const T2 = (S0 + ((a & b) ^ (a & c) ^ (b & c))) >>> 0;
      [h, g, f, e, d, c, b, a] = [
        g,
        f,
        e,
        (d + T1) >>> 0,
        c,
        b,
        a,
        (T1 + T2) >>> 0,
      ];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => H[i] = (H[i]! + word) >>> 0);
  }
  return concat(H.map(u32be));
}
