/** Coordinates in the text chunks of a PNG: XMP, the profiles of ImageMagick, and fields named after them. */
import { fromUtf8, utf8 } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { clearExif, clearXmp } from "./places.ts";

/** Bytes of a text that is unpacked to be looked at. */
const UNPACKED_BYTES_MAX = 4 * MIB;
/** Bytes of a keyword (PNG 3rd edition, 11.3.3.2). */
const KEYWORD_BYTES_MAX = 79;
const TYPE_BYTES = 4;
const SPACE = 0x20;

/** XMP's keyword (XMP specification part 3, 1.1.5). */
const XMP = "XML:com.adobe.xmp";
/** Keywords of Exif and XMP in hexadecimal digits, as ImageMagick wrote them before there was `eXIf`. */
const PROFILE = /^Raw profile type (?:exif|app1|xmp)$/i;
/** What the names of coordinates begin with in Exif and XMP. */
const COORDINATE = /GPS/i;

/** Where the parts of a text chunk lie, counted from its type. */
type Parts = {
  readonly keyword: string;
  /** Where the fields after the keyword begin. */
  readonly fieldsAt: number;
  readonly textAt: number;
  readonly isPacked: boolean;
};

/**
 * Takes coordinates out of a text chunk, given from its type to the end of its data, in place and in its length. Returns whether
 * there were any. What cannot be unpacked or read is taken out as a whole.
 */
export function clearText(chunk: Uint8Array): boolean {
  const parts = partsOf(chunk);
  if (parts === undefined) return false;
  const { keyword, textAt, isPacked } = parts;
  const isXmp = keyword === XMP;
  const isProfile = PROFILE.test(keyword);
  if (!isXmp && !isProfile && !COORDINATE.test(keyword)) return false;
  const text = chunk.subarray(textAt);
  if (isXmp && !isPacked) return clearXmp(text);
  const content = isPacked ? unpack(text) : text;
  const tells = content === undefined ||
    (isXmp
      ? clearXmp(content.slice())
      : isProfile
      ? profileTells(content)
      : content.some((byte) => byte !== SPACE));
  if (tells) blank(chunk, parts);
  return tells;
}

/** `undefined` for a chunk without a keyword: no reader knows what it would be. */
function partsOf(chunk: Uint8Array): Parts | undefined {
  const keywordEnd = chunk.indexOf(0, TYPE_BYTES);
  const keywordBytes = keywordEnd - TYPE_BYTES;
  if (keywordBytes < 1 || keywordBytes > KEYWORD_BYTES_MAX) return undefined;
  const keyword = latin1(chunk.subarray(TYPE_BYTES, keywordEnd));
  const fieldsAt = keywordEnd + 1;
  switch (latin1(chunk.subarray(0, TYPE_BYTES))) {
    case "tEXt":
      return { keyword, fieldsAt, textAt: fieldsAt, isPacked: false };
    case "zTXt":
      return { keyword, fieldsAt, textAt: fieldsAt + 1, isPacked: true };
    default: {
      // Whether it is packed and how, then two texts that end with a NUL: language and translated keyword (11.3.3.4).
      const languageEnd = chunk.indexOf(0, fieldsAt + 2);
      const end = languageEnd < 0 ? -1 : chunk.indexOf(0, languageEnd + 1);
      const textAt = end < 0 ? fieldsAt + 2 : end + 1;
      return { keyword, fieldsAt, textAt, isPacked: chunk[fieldsAt] !== 0 };
    }
  }
}

/** Leaves the keyword and as many spaces as there was text. Packed spaces would be shorter, so it is a text unpacked. */
function blank(chunk: Uint8Array, { fieldsAt, textAt }: Parts): void {
  const type = latin1(chunk.subarray(0, TYPE_BYTES));
  if (type === "iTXt") {
    chunk[fieldsAt] = 0;
    chunk.fill(SPACE, textAt);
    return;
  }
  if (type === "zTXt") chunk.set(utf8("tEXt"));
  chunk.fill(SPACE, fieldsAt);
}

function unpack(packed: Uint8Array): Uint8Array | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX });
  } catch (error) {
    // Damaged, or larger than anybody's metadata.
    if (!(error instanceof Error && "code" in error)) throw error;
    return undefined;
  }
}

/** Whether a profile has coordinates: after a name and a length it is hexadecimal digits in lines. */
function profileTells(text: Uint8Array): boolean {
  // No two parts of this can take the same blank, or a megabyte of blanks would take hours.
  const digits = /^\s*\S+\s+\d+\s([\s0-9a-fA-F]*)$/.exec(latin1(text))?.[1];
  if (digits === undefined) return true;
  const profile = Uint8Array.from(
    Buffer.from(digits.replaceAll(/\s+/g, ""), "hex"),
  );
  const exif = utf8("Exif\0\0");
  const isExif = latin1(profile.subarray(0, exif.length)) === fromUtf8(exif);
  return clearExif(profile.slice(isExif ? exif.length : 0)) ||
    clearXmp(profile);
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
