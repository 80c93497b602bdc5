/** Takes the coordinates out of a photograph, for people who do not want to tell where they live. */
import { concat, TesserasError } from "@tesseras/core";
import { quoted } from "./quoted.ts";

/** Exif's own name at the beginning of its segment (CIPA DC-008, 4.7.2). */
const EXIF = "Exif\0\0";
/** XMP's name at the beginning of its segment (XMP specification part 3, 1.1.3). */
const XMP = "http://ns.adobe.com/xap/1.0/\0";
/** The name of its continuation, and the bytes of digest, length and offset that follow (XMP specification part 3, 1.1.3.1). */
const FURTHER_XMP = "http://ns.adobe.com/xmp/extension/\0";
const FURTHER_HEAD_BYTES = 32 + 4 + 4;
const SPACE = 0x20;
/** The entry that points to the directory of coordinates (CIPA DC-008, 4.6.3). */
const GPS_TAG = 0x8825;
const IFD_ENTRY_BYTES = 12;
/** Directories of coordinates in one photograph, which should have one. */
const GPS_DIRECTORIES_MAX = 8;
/** Bytes of one value by its type (TIFF 6.0, section 2). */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/**
 * Removes coordinates from the beginning of a JPEG, in place and without moving the picture: those of Exif and those of
 * XMP. Returns whether there were any. What is not a JPEG is left alone; damaged metadata is cleared as far as it can be read.
 */
export function removePlaces(head: Uint8Array): boolean {
  let removed = false;
  const further: Uint8Array[] = [];
  for (const segment of metadataSegments(head)) {
    if (startsWith(segment, EXIF)) {
      removed = clearExif(segment.subarray(EXIF.length)) || removed;
    } else if (startsWith(segment, XMP)) {
      removed = clearXmp(segment.subarray(XMP.length)) || removed;
    } else if (startsWith(segment, FURTHER_XMP)) {
      further.push(segment.subarray(FURTHER_XMP.length + FURTHER_HEAD_BYTES));
    }
  }
  return clearFurtherXmp(further) || removed;
}

/** XMP in several segments may be cut anywhere, so it is looked at as a whole, and goes as a whole when it tells of a place. */
function clearFurtherXmp(parts: readonly Uint8Array[]): boolean {
  if (!clearXmp(concat(parts))) return false;
  for (const part of parts) part.fill(SPACE);
  return true;
}

/** The contents of the APP1 segments before the picture (ITU T.81, B.1.1). */
function* metadataSegments(head: Uint8Array): Generator<Uint8Array> {
  if (head[0] !== 0xff || head[1] !== 0xd8) return;
  for (let at = 2; at + 4 <= head.length;) {
    if (head[at] !== 0xff) return;
    const marker = head[at + 1]!;
    if (marker === 0xff) {
      at++; // a fill byte
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return;
    const length = (head[at + 2]! << 8) | head[at + 3]!;
    if (length < 2) return;
    if (marker === 0xe1) yield head.subarray(at + 4, at + 2 + length);
    at += 2 + length;
  }
}

/** Removes the directory of coordinates from Exif, in place. Returns whether there was one. */
export function clearExif(tiff: Uint8Array): boolean {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
  const order = startsWith(tiff, "II") ? "little" : "big";
  const fields = new Fields(view, order === "little");
  const directory = fields.u32(4);
  if (directory === undefined) return false;
  let removed = 0;
  // Removing an entry moves the next one to its place, so the index stays.
  for (let index = 0; index < (fields.u16(directory) ?? 0);) {
    const at = directory + 2 + index * IFD_ENTRY_BYTES;
    const tag = fields.u16(at);
    if (tag === undefined) break;
    if (tag !== GPS_TAG) {
      index++;
      continue;
    }
    const gps = fields.u32(at + 8);
    if (gps !== undefined) clearDirectory(tiff, fields, gps);
    removeEntry(tiff, fields, { directory, at });
    // One is right; each of many would cost a walk through all of it.
    if (++removed === GPS_DIRECTORIES_MAX) tiff.fill(0);
  }
  return removed > 0;
}

/** Zeroes a directory and the values its entries point to. */
function clearDirectory(tiff: Uint8Array, fields: Fields, at: number): void {
  const count = fields.u16(at) ?? 0;
  const end = at + 2 + count * IFD_ENTRY_BYTES;
  let cleared = 0;
  for (let entry = at + 2; entry < end; entry += IFD_ENTRY_BYTES) {
    const type = fields.u16(entry + 2);
    const values = fields.u32(entry + 4);
    const valueAt = fields.u32(entry + 8);
    if (type === undefined || values === undefined || valueAt === undefined) {
      break;
    }
    const bytes = (TYPE_BYTES[type] ?? 0) * values;
    if (bytes <= 4) continue;
    tiff.fill(0, valueAt, valueAt + bytes);
    cleared += Math.min(bytes, tiff.length);
    // Values that lie over each other are nobody's coordinates, and clearing each of thousands would take seconds.
    if (cleared > 2 * tiff.length) return void tiff.fill(0);
  }
  tiff.fill(0, at, end + 4);
}

/** Closes the gap that an entry leaves; all positions in Exif are absolute, so nothing else changes. */
function removeEntry(
  tiff: Uint8Array,
  fields: Fields,
  { directory, at }: { readonly directory: number; readonly at: number },
): void {
  const count = fields.u16(directory) ?? 0;
  if (count === 0) return; // the coordinates lay over the directory itself
  const end = directory + 2 + count * IFD_ENTRY_BYTES + 4;
  tiff.copyWithin(at, at + IFD_ENTRY_BYTES, end);
  tiff.fill(0, end - IFD_ENTRY_BYTES, end);
  fields.setU16(directory, count - 1);
}

/**
 * Blanks the values of coordinates, as attributes and as elements. Lengths are bounded so that no packet makes the search
 * slow; coordinates have a dozen characters.
 */
export function clearXmp(packet: Uint8Array): boolean {
  // One character a byte, so that positions in the text are positions in the packet.
  const text = new TextDecoder("latin1").decode(packet);
  const value =
    /GPS\w{1,40}\s{0,8}(?:=\s{0,8}(?:"([^"]{0,200})|'([^']{0,200}))|>([^<]{0,200}))/dg;
  let removed = false;
  for (const match of text.matchAll(value)) {
    for (const range of match.indices?.slice(1) ?? []) {
      if (range === undefined) continue;
      const blank = text.slice(...range).trim() === "";
      packet.fill(SPACE, ...range);
      removed ||= !blank;
    }
  }
  return removed;
}

/** Numbers of a TIFF structure; `undefined` where it ends. */
class Fields {
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(view: DataView, little: boolean) {
    this.#view = view;
    this.#little = little;
  }

  u16(at: number): number | undefined {
    if (at + 2 > this.#view.byteLength) return undefined;
    return this.#view.getUint16(at, this.#little);
  }

  u32(at: number): number | undefined {
    if (at + 4 > this.#view.byteLength) return undefined;
    return this.#view.getUint32(at, this.#little);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little);
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** Where metadata cannot be read there may be a place in it all the same. */
export function damaged(name: string): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot take the place out of ${
      quoted(name)
    }: its metadata is damaged or of no usual size; leave the file out, or keep places`,
  );
}
