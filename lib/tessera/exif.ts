/**
 * When and where a photograph was taken, as its camera wrote it into the file. Read here rather than by a library: the one we tried
 * believes the counts it is told, and 3 kB of hostile Exif cost it 2.5 s and 800 MB.
 */
import { equal, utf8 } from "@tesseras/core";

/** What a photograph says about itself. Nothing here is certain: cameras have wrong clocks, and anybody can edit it. */
export type Exif = {
  /** Local time, `2026-02-14T11:00:00`, followed by `+01:00` where the camera wrote its offset. */
  readonly takenAt?: string;
  readonly place?: Place;
};

/** A point on the Earth in degrees (WGS 84): north and east are positive. */
export type Place = { readonly latitude: number; readonly longitude: number };

/** Bytes from the beginning of a JPEG that {@link readExif} wants: Exif lies in one of the first segments of at most 64 KiB. */
export const EXIF_HEAD_BYTES = 256 * 1024;

/** Entries of one directory; cameras write under a hundred. */
const ENTRIES_MAX = 1_000;
/** Characters of a date, with its NUL, and more than any reference or offset has. */
const TEXT_CHARS_MAX = 32;

// Tags (Exif 3.0, 4.6): pointers to directories, and the facts in them.
const EXIF_DIRECTORY = 0x8769;
const GPS_DIRECTORY = 0x8825;
const DATE_TIME_ORIGINAL = 0x9003;
const OFFSET_TIME_ORIGINAL = 0x9011;
const GPS_LATITUDE_REF = 1;
const GPS_LATITUDE = 2;
const GPS_LONGITUDE_REF = 3;
const GPS_LONGITUDE = 4;

// Types of values (TIFF 6.0, section 2).
const ASCII = 2;
const LONG = 4;
const RATIONAL = 5;

/** Where a value of a known type begins, and how many there are. */
type Value = {
  readonly type: number;
  readonly count: number;
  readonly at: number;
};
type Directory = ReadonlyMap<number, Value>;

/**
 * Reads date and place from the beginning of a JPEG. Never throws, and takes time by the length of the head, not by
 * what it says: what cannot be read or cannot be true is not there. Borrows the head and looks at {@link EXIF_HEAD_BYTES} of it.
 */
export function readExif(head: Uint8Array): Exif {
  const block = exifBlock(head.subarray(0, EXIF_HEAD_BYTES));
  return block === undefined ? {} : readExifBlock(block);
}

/** As {@link readExif}, from Exif itself, as a PNG has it: the structure of directories without a name before it. */
export function readExifBlock(block: Uint8Array): Exif {
  const tiff = Tiff.open(block);
  if (tiff === undefined) return {};
  const first = tiff.directory(tiff.uint(4, 4));
  const exif = tiff.directory(tiff.long(first.get(EXIF_DIRECTORY)));
  const gps = tiff.directory(tiff.long(first.get(GPS_DIRECTORY)));
  const takenAt = takenAtOf(
    tiff.text(exif.get(DATE_TIME_ORIGINAL)),
    tiff.text(exif.get(OFFSET_TIME_ORIGINAL)),
  );
  const latitude = signed(
    tiff.degrees(gps.get(GPS_LATITUDE)),
    tiff.text(gps.get(GPS_LATITUDE_REF)),
    "NS",
  );
  const longitude = signed(
    tiff.degrees(gps.get(GPS_LONGITUDE)),
    tiff.text(gps.get(GPS_LONGITUDE_REF)),
    "EW",
  );
  const place = placeOf(latitude, longitude);
  return {
    ...(takenAt === undefined ? {} : { takenAt }),
    ...(place === undefined ? {} : { place }),
  };
}

/** The contents of the APP1 segment that begins with `Exif`, walking the segments before the first scan (ITU-T T.81, B.1.1). */
function exifBlock(jpeg: Uint8Array): Uint8Array | undefined {
  const tag = utf8("Exif\0\0");
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff;) {
    const marker = jpeg[at + 1]!;
    if (marker === 0xff) {
      at++; // a marker may have any number of FF before it
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return undefined;
    const length = jpeg[at + 2]! << 8 | jpeg[at + 3]!;
    if (length < 2) return undefined;
    const content = jpeg.subarray(at + 4, at + 2 + length);
    if (marker === 0xe1 && equal(content.subarray(0, tag.length), tag)) {
      return content.subarray(tag.length);
    }
    at += 2 + length;
  }
  return undefined;
}

/** The block of directories inside (TIFF 6.0, section 2). Every read is bounded; what lies outside is not there. */
class Tiff {
  readonly #view: DataView;
  readonly #isLittle: boolean;

  private constructor(view: DataView, isLittle: boolean) {
    this.#view = view;
    this.#isLittle = isLittle;
  }

  static open(block: Uint8Array): Tiff | undefined {
    const [a, b] = block;
    const isLittle = a === 0x49 && b === 0x49;
    if (!isLittle && !(a === 0x4d && b === 0x4d)) return undefined;
    const view = new DataView(
      block.buffer,
      block.byteOffset,
      block.byteLength,
    );
    const tiff = new Tiff(view, isLittle);
    return tiff.uint(2, 2) === 42 ? tiff : undefined;
  }

  uint(at: number, bytes: 2 | 4): number | undefined {
    if (at + bytes > this.#view.byteLength) return undefined;
    return bytes === 2
      ? this.#view.getUint16(at, this.#isLittle)
      : this.#view.getUint32(at, this.#isLittle);
  }

  /** The entries at an offset. Only those we follow lead on, so a chain of directories in a circle ends here. */
  directory(at: number | undefined): Directory {
    const entries = new Map<number, Value>();
    if (at === undefined) return entries;
    const count = Math.min(this.uint(at, 2) ?? 0, ENTRIES_MAX);
    for (let i = 0; i < count; i++) {
      const entryAt = at + 2 + 12 * i;
      const tag = this.uint(entryAt, 2);
      const type = this.uint(entryAt + 2, 2);
      const values = this.uint(entryAt + 4, 4);
      const valueAt = this.uint(entryAt + 8, 4);
      if (
        tag === undefined || type === undefined || values === undefined ||
        valueAt === undefined
      ) break;
      const bytes = type === RATIONAL ? 8 : type === LONG ? 4 : 1;
      const isInside = values * bytes <= 4;
      const value = isInside ? entryAt + 8 : valueAt;
      if (!entries.has(tag)) {
        entries.set(tag, { type, count: values, at: value });
      }
    }
    return entries;
  }

  long(value: Value | undefined): number | undefined {
    if (value?.type !== LONG || value.count !== 1) return undefined;
    return this.uint(value.at, 4);
  }

  /** A short ASCII text up to its NUL. */
  text(value: Value | undefined): string | undefined {
    if (value?.type !== ASCII || value.count > TEXT_CHARS_MAX) return undefined;
    let text = "";
    for (let i = 0; i < value.count; i++) {
      const at = value.at + i;
      if (at >= this.#view.byteLength) return undefined;
      const byte = this.#view.getUint8(at);
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Degrees, minutes and seconds as three fractions; without minutes or seconds some cameras write 0/0. */
  degrees(value: Value | undefined): number | undefined {
    if (value?.type !== RATIONAL || value.count !== 3) return undefined;
    let degrees = 0;
    for (let i = 0; i < 3; i++) {
      const over = this.uint(value.at + 8 * i, 4);
      const under = this.uint(value.at + 8 * i + 4, 4);
      if (over === undefined || under === undefined) return undefined;
      if (under === 0 && (over !== 0 || i === 0)) return undefined;
      degrees += under === 0 ? 0 : over / under / 60 ** i;
    }
    return degrees;
  }
}

function takenAtOf(
  date: string | undefined,
  offset: string | undefined,
): string | undefined {
  const match = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(date ?? "");
  if (match === null) return undefined;
  const [y, mo, d, h, mi, s] = match.slice(1) as string[];
  const isIn = (text: string | undefined, least: number, most: number) =>
    Number(text) >= least && Number(text) <= most;
  const exists = isIn(y, 1, 9_999) && isIn(mo, 1, 12) && isIn(d, 1, 31) &&
    isIn(h, 0, 23) && isIn(mi, 0, 59) && isIn(s, 0, 60);
  if (!exists) return undefined;
  const zone = /^[+-](?:0\d|1[0-4]):[0-5]\d$/.exec(offset ?? "")?.[0] ?? "";
  return `${y}-${mo}-${d}T${h}:${mi}:${s}${zone}`;
}

/** Degrees with the sign of their hemisphere: the first letter of `letters` is positive, the second negative. */
function signed(
  degrees: number | undefined,
  reference: string | undefined,
  letters: string,
): number | undefined {
  if (degrees === undefined || reference === undefined) return undefined;
  const at = reference === "" ? -1 : letters.indexOf(reference);
  return at < 0 ? undefined : at === 0 ? degrees : -degrees;
}

function placeOf(
  latitude: number | undefined,
  longitude: number | undefined,
): Place | undefined {
  if (latitude === undefined || longitude === undefined) return undefined;
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
    return undefined;
  }
  // Cameras write zeros where they have no fix.
  if (latitude === 0 && longitude === 0) return undefined;
  return { latitude: rounded(latitude), longitude: rounded(longitude) };
}

/** Six decimals are a hand's breadth, finer than any camera measures. Never a negative zero, which JSON would lose. */
function rounded(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6 + 0;
}
