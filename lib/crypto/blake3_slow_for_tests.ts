/**
 * BLAKE3 word by word as its paper has it, without kernels, windows or lanes: chaining values of subtrees to compare ours
 * with. Section numbers are those of the paper. Content of up to 4 GiB, no keys.
 */
const IV = [
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
];
const CHUNK_BYTES = 1024;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

/** The value of the subtree over `bytes`, whose first chunk has that number; the hash when it is the whole content. */
export function slowValue(
  bytes: Uint8Array,
  firstChunk: number,
  isRoot: boolean,
): Uint8Array {
  const root = isRoot ? ROOT : 0;
  if (bytes.length <= CHUNK_BYTES) return chunkValue(bytes, firstChunk, root);
  // The left side is the largest power of two of chunks that leaves something for the right (2.1).
  let left = CHUNK_BYTES;
  while (2 * left < bytes.length) left *= 2;
  const pair = new Uint8Array(64);
  pair.set(slowValue(bytes.subarray(0, left), firstChunk, false));
  const middle = firstChunk + left / CHUNK_BYTES;
  pair.set(slowValue(bytes.subarray(left), middle, false), 32);
  return bytesOf(compress(IV, wordsOf(pair), [0, 64, PARENT | root]));
}

function chunkValue(
  bytes: Uint8Array,
  counter: number,
  root: number,
): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / 64));
  let value: readonly number[] = IV;
  for (let i = 0; i < blocks; i++) {
    const part = bytes.subarray(64 * i, 64 * i + 64);
    const block = new Uint8Array(64);
    block.set(part);
    const flags = (i === 0 ? CHUNK_START : 0) |
      (i === blocks - 1 ? CHUNK_END | root : 0);
    value = compress(value, wordsOf(block), [counter, part.length, flags]);
  }
  return bytesOf(value);
}

/** The compression function, cut to a chaining value (2.2). */
function compress(
  value: readonly number[],
  message: readonly number[],
  [counter, length, flags]: readonly [number, number, number],
): readonly number[] {
  const s = [...value, ...IV.slice(0, 4), counter, 0, length, flags];
  let m = message;
  for (let round = 0; round < 7; round++) {
    quarter(s, [0, 4, 8, 12], m[0]!, m[1]!);
    quarter(s, [1, 5, 9, 13], m[2]!, m[3]!);
    quarter(s, [2, 6, 10, 14], m[4]!, m[5]!);
    quarter(s, [3, 7, 11, 15], m[6]!, m[7]!);
    quarter(s, [0, 5, 10, 15], m[8]!, m[9]!);
    quarter(s, [1, 6, 11, 12], m[10]!, m[11]!);
    quarter(s, [2, 7, 8, 13], m[12]!, m[13]!);
    quarter(s, [3, 4, 9, 14], m[14]!, m[15]!);
    m = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
      .map((from) => m[from]!);
  }
  return value.map((_, i) => s[i]! ^ s[i + 8]!);
}

function quarter(
  s: number[],
  [a, b, c, d]: readonly [number, number, number, number],
  x: number,
  y: number,
): void {
  s[a] = s[a]! + s[b]! + x | 0;
  s[d] = rotated(s[d]! ^ s[a]!, 16);
  s[c] = s[c]! + s[d]! | 0;
  s[b] = rotated(s[b]! ^ s[c]!, 12);
  s[a] = s[a]! + s[b]! + y | 0;
  s[d] = rotated(s[d]! ^ s[a]!, 8);
  s[c] = s[c]! + s[d]! | 0;
  s[b] = rotated(s[b]! ^ s[c]!, 7);
}

const rotated = (word: number, bits: number): number =>
  word >>> bits | word << 32 - bits;

function wordsOf(block: Uint8Array): readonly number[] {
  const view = new DataView(block.buffer);
  return Array.from({ length: 16 }, (_, i) => view.getInt32(4 * i, true));
}

function bytesOf(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setInt32(4 * i, word, true));
  return bytes;
}
