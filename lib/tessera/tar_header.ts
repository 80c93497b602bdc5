/** The 512-byte header of a POSIX tar (IEEE Std 1003.1, pax, "ustar Interchange Format"): written one way, read with care. */
import { fromUtf8, TesserasError, utf8 } from "@tesseras/core";

/** Bytes of a header, and the unit that contents are padded to. */
export const TAR_BLOCK_BYTES = 512;

/** What a header says. */
export type TarHeader = {
  /** Prefix and name joined; empty in a block of zeros. */
  readonly path: string;
  readonly bytes: number;
  /** One character: `0` is a file, `5` a folder; see POSIX. */
  readonly type: string;
};

const NAME_BYTES = 100;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const TYPE_AT = 156;
const PREFIX_AT = 345;
const PREFIX_BYTES = 155;

/** The header of a plain file, the same on every machine: mode 0644, no owner, no time. The path is at most 100 ASCII characters. */
export function printTarHeader(path: string, bytes: number): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK_BYTES);
  const put = (at: number, text: string): void => block.set(utf8(text), at);
  put(0, path);
  put(100, "0000644\0");
  put(108, "0000000\0"); // user
  put(116, "0000000\0"); // group
  put(SIZE_AT, octal(bytes, 11) + "\0");
  put(136, "00000000000\0"); // modified
  put(TYPE_AT, "0");
  put(257, "ustar\x0000");
  put(CHECKSUM_AT, octal(checksumOf(block), 6) + "\0 ");
  return block;
}

/**
 * Reads a header of any tar program; `undefined` for a block of zeros, which ends an archive.
 *
 * @throws `malformed` when the checksum does not fit, or a name or size cannot be read
 */
export function parseTarHeader(block: Uint8Array): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (readOctal(block, CHECKSUM_AT, 8) !== checksumOf(block)) {
    throw malformed("its header's checksum does not fit");
  }
  const bytes = readOctal(block, SIZE_AT, 12);
  if (bytes === undefined) throw malformed("its header has no plain size");
  const name = readText(block, 0, NAME_BYTES);
  // POSIX writes `ustar\0`; GNU writes `ustar ` and keeps other things where the prefix would be.
  const isPosix = readText(block, 257, 6) === "ustar" && block[262] === 0;
  const prefix = isPosix ? readText(block, PREFIX_AT, PREFIX_BYTES) : "";
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    bytes,
    // The oldest tars mark a file with NUL.
    type: block[TYPE_AT] === 0 ? "0" : String.fromCharCode(block[TYPE_AT]!),
  };
}

/** Bytes from one multiple of 512 to the next. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

/** The sum of all bytes, those of the checksum field counted as spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK_BYTES; i++) {
    sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + 8 ? 0x20 : block[i]!;
  }
  return sum;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** An octal number, spaces before it and space or NUL after it; `undefined` for anything else. */
function readOctal(
  block: Uint8Array,
  at: number,
  length: number,
): number | undefined {
  const text = String.fromCharCode(...block.subarray(at, at + length));
  const digits = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function readText(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  try {
    return fromUtf8(end < 0 ? field : field.subarray(0, end));
  } catch (cause) {
    throw malformed("its name is not UTF-8", cause);
  }
}

function malformed(what: string, cause?: unknown): TesserasError {
  return new TesserasError(
    "malformed",
    `Cannot read tar entry: ${what}`,
    cause === undefined ? undefined : { cause },
  );
}
