/**
 * The walk over MessagePack bytes that comes before any decoder. Common decoders take repeated keys, broken
 * text, long forms and extension types, and may spend a gigabyte on a thousand bytes of nested arrays; after this walk
 * none of that is left for them to meet.
 */
import { equal, fromUtf8, TesserasError } from "@tesseras/core";
import { findBrokenUtf8 } from "./utf8.ts";

/** How much one value may ask of its reader. */
export type DecodeLimits = {
  /** Bytes in all. */
  readonly bytesMax: number;
  /** Maps and arrays inside one another; a bare number has depth 0. */
  readonly depthMax: number;
  /** Values in all: every map, array, key and leaf counts as one. Bounds what decoding may allocate. */
  readonly itemsMax: number;
};

/** Bytes of a key: what a length of one byte can say. */
export const NAME_BYTES_MAX = 255;

type Walk = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly limits: DecodeLimits;
  at: number;
  itemCount: number;
};

/** Above this many keys a set finds twins faster than comparing pairs. */
const PAIRWISE_KEYS_MAX = 16;

/**
 * Accepts exactly one MessagePack value in the one form {@link encode} would give it. Borrows the bytes.
 *
 * @throws `malformed`, with the offset, on: more bytes, depth or values than the limits; truncation; trailing bytes; a
 *   count that cannot fit in what is left; a longer form than needed; a signed form of a non-negative integer; a
 *   float, extension, timestamp or 0xC1; a key that is no text of at most 255 bytes or comes twice; text that is not UTF-8 or begins with a
 *   byte order mark
 * @example
 * ```ts
 * import { scan } from "@tesseras/codec";
 * import { assertThrowsCode } from "@tesseras/testing";
 * const limits = { bytesMax: 16, depthMax: 1, itemsMax: 4 };
 * scan(Uint8Array.of(0x81, 0xa1, 0x61, 0x05), limits);
 * // 5 is one byte, not three.
 * assertThrowsCode(() => scan(Uint8Array.of(0xcd, 0x00, 0x05), limits), "malformed");
 * ```
 */
export function scan(bytes: Uint8Array, limits: DecodeLimits): void {
  const walk: Walk = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    limits,
    at: 0,
    itemCount: 0,
  };
  if (bytes.length > limits.bytesMax) {
    refuse(0, `${bytes.length} bytes, at most ${limits.bytesMax}`);
  }
  scanValue(walk, 0);
  if (walk.at !== bytes.length) {
    refuse(walk.at, `${bytes.length - walk.at} trailing bytes`);
  }
}

function scanValue(walk: Walk, depth: number): void {
  const start = walk.at;
  countItem(walk);
  const lead = takeUint(walk, 1);
  if (lead < 0x80 || lead >= 0xe0) return;
  if (lead < 0x90) return scanMap(walk, lead & 0x0f, depth + 1);
  if (lead < 0xa0) return scanArray(walk, lead & 0x0f, depth + 1);
  if (lead < 0xc0) return scanText(walk, lead & 0x1f);
  switch (lead) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return;
    case 0xc4:
      return skip(walk, takeUint(walk, 1));
    case 0xc5:
      return skip(walk, takeAtLeast(walk, 2, 0x100));
    case 0xc6:
      return skip(walk, takeAtLeast(walk, 4, 0x1_0000));
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return scanUint(walk, 1 << (lead - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return scanNegative(walk, 1 << (lead - 0xd0));
    case 0xd9:
      return scanText(walk, takeAtLeast(walk, 1, 0x20));
    case 0xda:
      return scanText(walk, takeAtLeast(walk, 2, 0x100));
    case 0xdb:
      return scanText(walk, takeAtLeast(walk, 4, 0x1_0000));
    case 0xdc:
      return scanArray(walk, takeAtLeast(walk, 2, 0x10), depth + 1);
    case 0xdd:
      return scanArray(walk, takeAtLeast(walk, 4, 0x1_0000), depth + 1);
    case 0xde:
      return scanMap(walk, takeAtLeast(walk, 2, 0x10), depth + 1);
    case 0xdf:
      return scanMap(walk, takeAtLeast(walk, 4, 0x1_0000), depth + 1);
    case 0xca:
    case 0xcb:
      return refuse(start, "a float, and we have none");
    case 0xc1:
      return refuse(start, "byte 0xc1, which MessagePack never uses");
    default:
      return refuse(start, "an extension type, and we have none");
  }
}

function scanArray(walk: Walk, count: number, depth: number): void {
  enter(walk, count, depth);
  for (let i = 0; i < count; i++) scanValue(walk, depth);
}

function scanMap(walk: Walk, count: number, depth: number): void {
  enter(walk, 2 * count, depth);
  const seen = count > PAIRWISE_KEYS_MAX ? new ManyKeys() : new FewKeys();
  for (let i = 0; i < count; i++) {
    const start = walk.at;
    countItem(walk);
    if (!seen.add(scanKey(walk))) refuse(start, "a key that was there before");
    scanValue(walk, depth);
  }
}

/** The keys of a small map. A text has one form, so equal keys are equal bytes. */
class FewKeys {
  readonly #keys: Uint8Array[] = [];

  /** Whether the key is new. */
  add(key: Uint8Array): boolean {
    if (this.#keys.some((other) => equal(other, key))) return false;
    this.#keys.push(key);
    return true;
  }
}

/** The keys of a map in which comparing pairs would take a hostile while. */
class ManyKeys {
  readonly #keys = new Set<string>();

  /** Whether the key is new. */
  add(key: Uint8Array): boolean {
    const before = this.#keys.size;
    return this.#keys.add(fromUtf8(key)).size > before;
  }
}

/** A key is a text of at most {@link NAME_BYTES_MAX} bytes, so its length has one byte at most. Returns a view of the text. */
function scanKey(walk: Walk): Uint8Array {
  const start = walk.at;
  const lead = takeUint(walk, 1);
  if (lead >= 0xa0 && lead < 0xc0) {
    scanText(walk, lead & 0x1f);
    return walk.bytes.subarray(start + 1, walk.at);
  }
  if (lead === 0xd9) {
    scanText(walk, takeAtLeast(walk, 1, 0x20));
    return walk.bytes.subarray(start + 2, walk.at);
  }
  return refuse(
    start,
    `a key that is no text of at most ${NAME_BYTES_MAX} bytes`,
  );
}

function scanText(walk: Walk, length: number): void {
  const start = walk.at;
  skip(walk, length);
  const broken = findBrokenUtf8(walk.bytes, start, walk.at);
  if (broken >= 0) refuse(broken, "text that is not UTF-8");
  // Decoders differ on whether they drop it, so two readers would see two texts.
  if (length >= 3 && walk.view.getUint16(start) === 0xefbb) {
    if (walk.bytes[start + 2] === 0xbf) refuse(start, "a byte order mark");
  }
}

/** A non-negative integer of 1, 2, 4 or 8 bytes that would not fit in the next shorter form. */
function scanUint(walk: Walk, width: number): void {
  const start = walk.at;
  if (width < 8) {
    takeAtLeast(walk, width, width === 1 ? 0x80 : 2 ** (4 * width));
    return;
  }
  skip(walk, 8);
  if (walk.view.getUint32(start) === 0) refuseLongForm(start);
}

/** A negative integer of 1, 2, 4 or 8 bytes that would not fit in the next shorter form. */
function scanNegative(walk: Walk, width: number): void {
  const start = walk.at;
  skip(walk, width);
  const { view } = walk;
  const fits = width === 1
    ? view.getInt8(start) < -0x20
    : width === 2
    ? view.getInt16(start) < -0x80
    : width === 4
    ? view.getInt32(start) < -0x8000
    : view.getBigInt64(start) < -0x8000_0000n;
  if (!fits) refuseLongForm(start);
}

function enter(walk: Walk, valueCount: number, depth: number): void {
  const { depthMax, itemsMax } = walk.limits;
  if (depth > depthMax) {
    refuse(walk.at, `nesting deeper than ${depthMax}`);
  }
  // Checked before the loop, so that a lying count costs nothing: each value takes a byte at least.
  const left = walk.bytes.length - walk.at;
  if (valueCount > left) {
    refuse(walk.at, `${valueCount} values announced in ${left} bytes`);
  }
  if (walk.itemCount + valueCount > itemsMax) {
    refuse(walk.at, `more than ${itemsMax} values`);
  }
}

function countItem(walk: Walk): void {
  if (++walk.itemCount > walk.limits.itemsMax) {
    refuse(walk.at, `more than ${walk.limits.itemsMax} values`);
  }
}

/** A big-endian number of 1, 2 or 4 bytes. */
function takeUint(walk: Walk, width: number): number {
  const start = walk.at;
  skip(walk, width);
  if (width === 1) return walk.bytes[start]!;
  return width === 2 ? walk.view.getUint16(start) : walk.view.getUint32(start);
}

function takeAtLeast(walk: Walk, width: number, least: number): number {
  const start = walk.at;
  const value = takeUint(walk, width);
  if (value < least) refuseLongForm(start);
  return value;
}

function skip(walk: Walk, length: number): void {
  const left = walk.bytes.length - walk.at;
  if (length > left) {
    refuse(walk.at, `truncated: ${length} bytes wanted, ${left} left`);
  }
  walk.at += length;
}

function refuseLongForm(at: number): never {
  refuse(at, "a longer form than the value needs");
}

function refuse(at: number, saw: string): never {
  throw new TesserasError(
    "malformed",
    `Cannot read MessagePack: ${saw} at byte ${at}`,
  );
}
