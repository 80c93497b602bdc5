/** Changes to bytes that readers tend to stumble over. */
import { concat, type Random } from "@tesseras/core";

/** Lengths, lead bytes and borders that mean something to a format. */
const TELLING_BYTES = [
  0x00,
  0x01,
  0x0a,
  0x1f,
  0x20,
  0x7f,
  0x80,
  0x81,
  0x8f,
  0x90,
  0x91,
  0x9f,
  0xa0,
  0xbf,
  0xc0,
  0xc1,
  0xc2,
  0xc3,
  0xc4,
  0xc5,
  0xc6,
  0xc7,
  0xca,
  0xcb,
  0xcc,
  0xcd,
  0xce,
  0xcf,
  0xd0,
  0xd3,
  0xd4,
  0xd6,
  0xd9,
  0xda,
  0xdb,
  0xdc,
  0xdd,
  0xde,
  0xdf,
  0xe0,
  0xed,
  0xef,
  0xf4,
  0xff,
];

/** Longest input a mutation makes. */
const INPUT_BYTES_MAX = 128 * 1024;

type Mutation = (
  bytes: Uint8Array,
  random: Random,
  other: Uint8Array,
) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setByte,
  insertBytes,
  removeRange,
  repeatRange,
  cutShort,
  splice,
  setLength,
];

/** A changed copy: one to four changes, some taken from `other`. */
export function mutate(
  bytes: Uint8Array,
  random: Random,
  other: Uint8Array,
): Uint8Array {
  let changed: Uint8Array = bytes.slice();
  const changeCount = 1 + random.below(4);
  for (let change = 0; change < changeCount; change++) {
    const mutation = MUTATIONS[random.below(MUTATIONS.length)]!;
    changed = mutation(changed, random, other);
  }
  return changed.slice(0, INPUT_BYTES_MAX);
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length > 0) {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  }
  return bytes;
}

function setByte(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length > 0) bytes[random.below(bytes.length)] = telling(random);
  return bytes;
}

function insertBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const count = 1 + random.below(4);
  const fresh = Uint8Array.from({ length: count }, () => telling(random));
  return concat([bytes.subarray(0, at), fresh, bytes.subarray(at)]);
}

function removeRange(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, to] = range(bytes, random);
  return concat([bytes.subarray(0, from), bytes.subarray(to)]);
}

function repeatRange(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, to] = range(bytes, random);
  const part = bytes.subarray(from, to);
  const times = random.below(16) === 0 ? 200 : 1 + random.below(3);
  if (part.length * times > INPUT_BYTES_MAX) return bytes;
  const repeats = Array<Uint8Array>(times).fill(part);
  return concat([bytes.subarray(0, to), ...repeats, bytes.subarray(to)]);
}

function cutShort(bytes: Uint8Array, random: Random): Uint8Array {
  return bytes.slice(0, random.below(bytes.length + 1));
}

function splice(
  bytes: Uint8Array,
  random: Random,
  other: Uint8Array,
): Uint8Array {
  const [from, to] = range(other, random);
  const at = random.below(bytes.length + 1);
  const skip = random.below(2) === 0 ? 0 : to - from;
  return concat([
    bytes.subarray(0, at),
    other.subarray(from, to),
    bytes.subarray(Math.min(bytes.length, at + skip)),
  ]);
}

/** Four bytes of a big-endian number at some border. */
function setLength(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length < 4) return bytes;
  const at = random.below(bytes.length - 3);
  const border = 2 ** random.below(33);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(at, border - random.below(2));
  return bytes;
}

function telling(random: Random): number {
  return random.below(4) === 0
    ? random.below(256)
    : TELLING_BYTES[random.below(TELLING_BYTES.length)]!;
}

/** A range of at most 64 bytes. */
function range(bytes: Uint8Array, random: Random): readonly [number, number] {
  const from = random.below(bytes.length + 1);
  const most = Math.min(64, bytes.length - from);
  return [from, from + random.below(most + 1)];
}
