/** The kinds of file that a tessera keeps: few, open, and each explained in its `decode/` folder. */
import { TesserasError, unreachable } from "@tesseras/core";
import { quoteText } from "./visible_text.ts";

/** What a memory is: something that happened, or something somebody thought. */
export type MemoryType = "moment" | "reflection";

/** One supported kind of file. */
export type Kind = {
  readonly name: "jpeg" | "png" | "wav" | "webm" | "text";
  /** The ending of the media file in a tessera, without dot. */
  readonly extension: string;
  readonly mime: string;
  readonly memoryType: MemoryType;
  /** For people, like `photograph or picture (JPEG)`. */
  readonly label: string;
};

const JPEG: Kind = {
  name: "jpeg",
  extension: "jpg",
  mime: "image/jpeg",
  memoryType: "moment",
  label: "photograph or picture (JPEG)",
};
const PNG: Kind = {
  name: "png",
  extension: "png",
  mime: "image/png",
  memoryType: "moment",
  label: "picture (PNG)",
};
const WAV: Kind = {
  name: "wav",
  extension: "wav",
  mime: "audio/wav",
  memoryType: "moment",
  label: "sound recording (WAV)",
};
const WEBM: Kind = {
  name: "webm",
  extension: "webm",
  mime: "video/webm",
  memoryType: "moment",
  label: "moving picture (WebM)",
};
const TEXT: Kind = {
  name: "text",
  extension: "txt",
  mime: "text/plain",
  memoryType: "reflection",
  label: "text (UTF-8)",
};

/** Kinds by the ending of a file's name, as in the user guide's table of formats. */
const BY_ENDING: Readonly<Record<string, Kind>> = {
  jpg: JPEG,
  jpeg: JPEG,
  png: PNG,
  wav: WAV,
  webm: WEBM,
  txt: TEXT,
};

/** Every kind once. */
export const KINDS: readonly Kind[] = [JPEG, PNG, WAV, WEBM, TEXT];

/** Bytes from the beginning of a file that {@link looksLike} wants to see, or all of a shorter file. */
export const KIND_HEAD_BYTES = 4_096;

/** The kind of a file by the ending of its name, in either case; `undefined` for one we do not keep. */
export function kindOf(fileName: string): Kind | undefined {
  const dot = fileName.lastIndexOf(".");
  // A name that is all ending, like `.txt`, is a hidden file without one.
  if (dot <= 0 || fileName[dot - 1] === "/") return undefined;
  const ending = fileName.slice(dot + 1).toLowerCase();
  return Object.hasOwn(BY_ENDING, ending) ? BY_ENDING[ending] : undefined;
}

/** The kind of a tessera's media file by its MIME type. @throws `malformed` for one that no kind has */
export function kindOfMime(mime: string): Kind {
  const kind = KINDS.find((known) => known.mime === mime);
  if (kind !== undefined) return kind;
  throw new TesserasError(
    "malformed",
    `Cannot tell the kind of a memory: unknown type ${quoteText(mime)}`,
  );
}

/** Whether a file that begins with these bytes can be of the kind. Looks at {@link KIND_HEAD_BYTES} at most. */
export function looksLike(kind: Kind, head: Uint8Array): boolean {
  const seen = head.subarray(0, KIND_HEAD_BYTES);
  switch (kind.name) {
    case "jpeg":
      return hasAt(seen, 0, [0xff, 0xd8, 0xff]);
    case "png":
      return hasAt(seen, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) &&
        hasAt(seen, 12, ascii("IHDR"));
    case "wav":
      return hasAt(seen, 0, ascii("RIFF")) && hasAt(seen, 8, ascii("WAVE"));
    case "webm":
      return hasAt(seen, 0, [0x1a, 0x45, 0xdf, 0xa3]) && hasWebmDocType(seen);
    case "text":
      return isTextHead(seen);
    default:
      return unreachable(kind.name);
  }
}

/** Finds the EBML element DocType (0x4282) with the value `webm`, its size written in one to eight bytes (RFC 8794, 4 and 11.2.4). */
function hasWebmDocType(head: Uint8Array): boolean {
  for (let at = 4; at + 7 <= head.length; at++) {
    if (!hasAt(head, at, [0x42, 0x82])) continue;
    const sizeBytes = Math.clz32(head[at + 2]!) - 23;
    if (sizeBytes > 8) continue;
    const valueAt = at + 2 + sizeBytes;
    const low = head[valueAt - 1]! & (sizeBytes === 1 ? 0x7f : 0xff);
    if (low === 4 && hasAt(head, valueAt, ascii("webm"))) return true;
  }
  return false;
}

/** UTF-8 without NUL, where the last character may be cut off. */
function isTextHead(head: Uint8Array): boolean {
  if (head.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, {
      stream: head.length === KIND_HEAD_BYTES,
    });
    return true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return false;
  }
}

function hasAt(
  bytes: Uint8Array,
  at: number,
  wanted: readonly number[],
): boolean {
  return wanted.every((byte, i) => bytes[at + i] === byte);
}

function ascii(text: string): readonly number[] {
  return [...text].map((char) => char.charCodeAt(0));
}
