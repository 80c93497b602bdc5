/** The texts of `decode/`: enough to read everything in a tessera with nothing but patience. */
import type { Kind } from "./kinds.ts";
import { BLAKE3_TEXT } from "./texts/blake3.ts";
import { FORMATS_TEXT } from "./texts/formats.ts";
import { JPEG_TEXT } from "./texts/jpeg.ts";
import { JSON_TEXT } from "./texts/json.ts";
import { PNG_TEXT } from "./texts/png.ts";
import { REED_SOLOMON_TEXT } from "./texts/reed_solomon.ts";
import { SHA_256_TEXT } from "./texts/sha_256.ts";
import { SIGNATURES_TEXT } from "./texts/signatures.ts";
import { TAR_TEXT } from "./texts/tar.ts";
import { TESSERA_TEXT } from "./texts/tessera.ts";
import { UTF_8_TEXT } from "./texts/utf_8.ts";
import { WAV_TEXT } from "./texts/wav.ts";
import { WEBM_TEXT } from "./texts/webm.ts";

/** One file of `decode/`. */
export type DecodeText = { readonly path: string; readonly text: string };

/** In every tessera, because its own structure needs them. */
const GENERAL: readonly DecodeText[] = [
  { path: "decode/blake3.txt", text: BLAKE3_TEXT },
  { path: "decode/formats.txt", text: FORMATS_TEXT },
  { path: "decode/json.txt", text: JSON_TEXT },
  { path: "decode/reedsolomon.txt", text: REED_SOLOMON_TEXT },
  { path: "decode/sha-256.txt", text: SHA_256_TEXT },
  { path: "decode/signatures.txt", text: SIGNATURES_TEXT },
  { path: "decode/tar.txt", text: TAR_TEXT },
  { path: "decode/tessera.txt", text: TESSERA_TEXT },
  { path: "decode/utf-8.txt", text: UTF_8_TEXT },
];

/** Where a memory of the kind is inside. */
const OF_KIND: Readonly<Record<Kind["name"], DecodeText | undefined>> = {
  jpeg: { path: "decode/jpeg.txt", text: JPEG_TEXT },
  png: { path: "decode/png.txt", text: PNG_TEXT },
  wav: { path: "decode/wav.txt", text: WAV_TEXT },
  webm: { path: "decode/webm.txt", text: WEBM_TEXT },
  text: undefined, // UTF-8 is explained in every tessera
};

/** The texts that a tessera with these kinds of memory carries. */
export function decodeTexts(
  kinds: ReadonlySet<Kind["name"]>,
): readonly DecodeText[] {
  const special = [...kinds].map((kind) => OF_KIND[kind])
    .filter((text) => text !== undefined);
  return [...GENERAL, ...special];
}
