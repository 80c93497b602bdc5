/** Values to MessagePack bytes, always in the shortest form, so that one value has one encoding. */
import { TesserasError } from "@tesseras/core";
import { NAME_BYTES_MAX } from "./scan.ts";

/**
 * What {@link encode} takes. Numbers are whole and at most 2^53 in size; a bigint reaches from -2^63 to 2^64 - 1. Map
 * entries keep their order; an entry that is `undefined` is left out.
 */
export type Encodable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [name: string]: Encodable | undefined };

type Sink = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
};

/** First byte of the forms of 8, 16 and 32 bits of length, and how many lengths fit in a form of none. */
type LengthForms = readonly [
  fixed: number,
  fixedCount: number,
  eight: number | undefined,
  sixteen: number,
  thirtyTwo: number,
];

const TEXT: LengthForms = [0xa0, 0x20, 0xd9, 0xda, 0xdb];
const BYTES: LengthForms = [0, 0, 0xc4, 0xc5, 0xc6];
const ARRAY: LengthForms = [0x90, 0x10, undefined, 0xdc, 0xdd];
const MAP: LengthForms = [0x80, 0x10, undefined, 0xde, 0xdf];

/** Up to this length writing ASCII by hand is faster than asking the platform's encoder (measured); every name is shorter. */
const ASCII_BY_HAND_MAX = 64;

const encoder = new TextEncoder();

/**
 * MessagePack bytes of a value, fresh and of exact size, after `headBytes` zero bytes left for the caller to fill.
 *
 * @throws `unusable` for what has no encoding: a fraction, a number beyond 2^53, a bigint beyond 64 bits, text with a
 *   lone surrogate or a leading byte order mark, a name of more than 255 bytes
 * @example
 * ```ts
 * import { decode, encode } from "@tesseras/codec";
 * import { assertEquals } from "@tesseras/testing";
 * const bytes = encode({ name: "garden", count: 300, note: undefined });
 * assertEquals(bytes.length, 22);
 * const limits = { bytesMax: 64, depthMax: 1, itemsMax: 8 };
 * assertEquals(decode(bytes, limits), new Map<string, unknown>([["name", "garden"], ["count", 300]]));
 * ```
 */
export function encode(value: Encodable, headBytes = 0): Uint8Array {
  const bytes = new Uint8Array(headBytes + sizeOf(value));
  const sink = { bytes, view: new DataView(bytes.buffer), at: headBytes };
  write(sink, value);
  return bytes;
}

function sizeOf(value: Encodable): number {
  if (value === null || typeof value === "boolean") return 1;
  if (typeof value === "number") return sizeOfNumber(value);
  if (typeof value === "bigint") return sizeOfBigint(value);
  if (typeof value === "string") {
    const length = textBytes(value);
    return sizeOfLength(TEXT, length) + length;
  }
  if (value instanceof Uint8Array) {
    return sizeOfLength(BYTES, value.length) + value.length;
  }
  if (isArray(value)) {
    let size = sizeOfLength(ARRAY, value.length);
    for (const item of value) size += sizeOf(item);
    return size;
  }
  const entries = entriesOf(value);
  let size = sizeOfLength(MAP, entries.length);
  for (const [name, item] of entries) size += sizeOfName(name) + sizeOf(item);
  return size;
}

function sizeOfName(name: string): number {
  const length = textBytes(name);
  if (length > NAME_BYTES_MAX) {
    throw new TesserasError(
      "unusable",
      `Cannot encode a name of ${length} bytes: at most ${NAME_BYTES_MAX}`,
    );
  }
  return sizeOfLength(TEXT, length) + length;
}

function write(sink: Sink, value: Encodable): void {
  if (value === null) writeByte(sink, 0xc0);
  else if (typeof value === "boolean") writeByte(sink, value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(sink, value);
  else if (typeof value === "bigint") writeBigint(sink, value);
  else if (typeof value === "string") {
    writeText(sink, value);
  } else if (value instanceof Uint8Array) {
    writeLength(sink, BYTES, value.length);
    sink.bytes.set(value, sink.at);
    sink.at += value.length;
  } else if (isArray(value)) {
    writeLength(sink, ARRAY, value.length);
    for (const item of value) write(sink, item);
  } else {
    const entries = entriesOf(value);
    writeLength(sink, MAP, entries.length);
    for (const [name, item] of entries) {
      write(sink, name);
      write(sink, item);
    }
  }
}

function isArray(value: Encodable): value is readonly Encodable[] {
  return Array.isArray(value);
}

function entriesOf(
  map:
    | ReadonlyMap<string, Encodable>
    | { readonly [name: string]: Encodable | undefined },
): readonly (readonly [string, Encodable])[] {
  if (map instanceof Map) return [...map];
  const entries: (readonly [string, Encodable])[] = [];
  for (const [name, item] of Object.entries(map)) {
    if (item !== undefined) entries.push([name, item]);
  }
  return entries;
}

function sizeOfNumber(value: number): number {
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 53) {
    throw new TesserasError(
      "unusable",
      `Cannot encode ${value}: wanted a whole number of at most 2^53`,
    );
  }
  if (value >= 0) {
    if (value < 0x80) return 1;
    if (value < 0x100) return 2;
    if (value < 0x1_0000) return 3;
    return value < 0x1_0000_0000 ? 5 : 9;
  }
  if (value >= -0x20) return 1;
  if (value >= -0x80) return 2;
  if (value >= -0x8000) return 3;
  return value >= -0x8000_0000 ? 5 : 9;
}

function sizeOfBigint(value: bigint): number {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new TesserasError(
      "unusable",
      `Cannot encode ${value}: wanted an integer of 64 bits`,
    );
  }
  return isSmall(value) ? sizeOfNumber(Number(value)) : 9;
}

function writeNumber(sink: Sink, value: number): void {
  const size = sizeOfNumber(value);
  if (size === 1) return writeByte(sink, value & 0xff);
  if (size === 9) return writeBigint(sink, BigInt(value));
  const negative = value < 0;
  if (size === 2) writeByte(sink, negative ? 0xd0 : 0xcc);
  else if (size === 3) writeByte(sink, negative ? 0xd1 : 0xcd);
  else writeByte(sink, negative ? 0xd2 : 0xce);
  writeUint(sink, size - 1, value);
}

function writeBigint(sink: Sink, value: bigint): void {
  if (isSmall(value)) return writeNumber(sink, Number(value));
  writeByte(sink, value < 0n ? 0xd3 : 0xcf);
  sink.view.setBigUint64(sink.at, BigInt.asUintN(64, value));
  sink.at += 8;
}

/** Whether the integer has a form of at most 32 bits. */
function isSmall(value: bigint): boolean {
  return value >= -0x8000_0000n && value <= 0xffff_ffffn;
}

function sizeOfLength(forms: LengthForms, length: number): number {
  const [, fixedCount, eight] = forms;
  if (length < fixedCount) return 1;
  if (eight !== undefined && length < 0x100) return 2;
  return length < 0x1_0000 ? 3 : 5;
}

function writeLength(sink: Sink, forms: LengthForms, length: number): void {
  const [fixed, , eight, sixteen, thirtyTwo] = forms;
  const size = sizeOfLength(forms, length);
  if (size === 1) return writeByte(sink, fixed + length);
  if (size === 2) writeByte(sink, eight!);
  else writeByte(sink, size === 3 ? sixteen : thirtyTwo);
  writeUint(sink, size - 1, length);
}

/** The low 8, 16 or 32 bits, big-endian: two's complement where the value is negative. */
function writeUint(sink: Sink, width: number, value: number): void {
  if (width === 1) sink.view.setUint8(sink.at, value);
  else if (width === 2) sink.view.setUint16(sink.at, value);
  else sink.view.setUint32(sink.at, value);
  sink.at += width;
}

function writeText(sink: Sink, text: string): void {
  const length = textBytes(text);
  writeLength(sink, TEXT, length);
  if (length === text.length && length <= ASCII_BY_HAND_MAX) {
    for (let i = 0; i < length; i++) writeByte(sink, text.charCodeAt(i));
    return;
  }
  const target = sink.bytes.subarray(sink.at);
  sink.at += encoder.encodeInto(text, target).written;
}

function writeByte(sink: Sink, byte: number): void {
  sink.bytes[sink.at++] = byte;
}

/** Bytes of a text in UTF-8. Names and codes are ASCII, where that is the text's length. */
function textBytes(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) length += unit < 0x800 ? 1 : 2;
    // A surrogate pair is four bytes: three counted for its first unit, one for its second.
    if (unit >= 0xd800 && unit < 0xdc00) {
      const low = text.charCodeAt(i + 1);
      if (!(low >= 0xdc00 && low < 0xe000)) refuseText("a lone surrogate");
      i++;
    } else if (unit >= 0xdc00 && unit < 0xe000) refuseText("a lone surrogate");
  }
  if (text.startsWith("\ufeff")) refuseText("a leading byte order mark");
  return length;
}

function refuseText(saw: string): never {
  throw new TesserasError("unusable", `Cannot encode text: it has ${saw}`);
}
