/** What is told about one memory: `meta.json` for machines, `context.txt` for eyes. */
import { toHex, utf8 } from "@tesseras/core";
import type { Place } from "./exif.ts";
import type { Kind } from "./kinds.ts";
import { isPrintableTime, printTime } from "./time.ts";
import { escapeText, printVisibleJson } from "./visible_text.ts";

/** A memory as its person had it, hashed and looked at. */
export type MemoryInput = {
  /** Relative path with `/`, as the person named it. Kept as text, never used as a path. */
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: number;
  /** 32 bytes each. */
  readonly blake3: Uint8Array;
  readonly sha256: Uint8Array;
  /** From the file itself: local time, see {@link Exif.takenAt}. */
  readonly takenAt?: string;
  readonly place?: Place;
  /** When the file was last changed, Unix milliseconds. */
  readonly modifiedAtMs?: number;
  /** Its contents do not begin as its name promises: kept as declared, and said so. */
  readonly declaredOnly?: boolean;
};

/** The bytes of `meta.json`, which validates against {@link META_SCHEMA}. */
export function printMeta(memory: MemoryInput): Uint8Array {
  const { kind, takenAt, place } = memory;
  const modifiedAt = modifiedAtOf(memory);
  return utf8(printVisibleJson({
    version: 1,
    name: memory.name.toWellFormed(),
    memoryType: kind.memoryType,
    media: {
      file: `media.${kind.extension}`,
      type: kind.mime,
      bytes: memory.bytes,
      blake3: toHex(memory.blake3),
      sha256: toHex(memory.sha256),
      typeVerified: memory.declaredOnly !== true,
    },
    ...(takenAt === undefined ? {} : { takenAt }),
    ...(place === undefined ? {} : {
      place: { latitude: place.latitude, longitude: place.longitude },
    }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
  }));
}

/** The bytes of `context.txt`. */
export function printContext(memory: MemoryInput): Uint8Array {
  const { kind, takenAt, place } = memory;
  const modifiedAt = modifiedAtOf(memory);
  const lines = [
    `Name: ${escapeText(memory.name)}`,
    `What it is: ${kind.label}`,
    `Memory type: ${kind.memoryType}`,
    `Size: ${memory.bytes} bytes`,
  ];
  if (takenAt !== undefined) {
    lines.push(`Taken: ${takenAt} (by the camera's own clock)`);
  }
  if (place !== undefined) {
    lines.push(
      `Place: latitude ${place.latitude}, longitude ${place.longitude} degrees (north and east positive, WGS 84)`,
    );
  }
  if (modifiedAt !== undefined) lines.push(`File last changed: ${modifiedAt}`);
  if (memory.declaredOnly) {
    lines.push(
      "Note: the contents do not begin the way this kind of file does. It is kept exactly as it was given.",
    );
  }
  return utf8(lines.join("\n") + "\n");
}

/** A file system can hold moments that no calendar reaches; such a date tells nothing and is left out. */
function modifiedAtOf(memory: MemoryInput): string | undefined {
  const { modifiedAtMs } = memory;
  return modifiedAtMs !== undefined && isPrintableTime(modifiedAtMs)
    ? printTime(modifiedAtMs)
    : undefined;
}

const DIGEST = { type: "string", pattern: "^[0-9a-f]{64}$" } as const;

/** JSON Schema (draft 2020-12) of `meta.json`; every tessera carries it as `schema/v1.json`. */
export const META_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "A memory in a tessera, version 1",
  description:
    "What is known about the file beside this one. Fields that are not named here may be added later and may be ignored.",
  type: "object",
  required: ["version", "name", "memoryType", "media"],
  properties: {
    version: { const: 1 },
    name: {
      description:
        "The name the file had in its owner's folder, folders separated by a slash.",
      type: "string",
      minLength: 1,
    },
    memoryType: {
      description: "A moment that happened, or a reflection of somebody.",
      enum: ["moment", "reflection", "daily", "relation", "object"],
    },
    media: {
      description: "The memory itself, a file in the same folder.",
      type: "object",
      required: ["file", "type", "bytes", "blake3", "sha256", "typeVerified"],
      properties: {
        file: { type: "string", pattern: "^media\\.[a-z0-9]+$" },
        type: {
          description: "Media type (RFC 6838).",
          type: "string",
          pattern: "^[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*$",
        },
        bytes: { type: "integer", minimum: 0 },
        blake3: DIGEST,
        sha256: DIGEST,
        typeVerified: {
          description:
            "False where the contents did not begin as the type demands; the file is kept as it was given.",
          type: "boolean",
        },
      },
    },
    takenAt: {
      description:
        "Local time by the camera's clock, with its offset from UTC where the camera wrote one.",
      type: "string",
      pattern:
        "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d([+-]\\d\\d:\\d\\d)?$",
    },
    place: {
      description: "Degrees (WGS 84), north and east positive.",
      type: "object",
      required: ["latitude", "longitude"],
      properties: {
        latitude: { type: "number", minimum: -90, maximum: 90 },
        longitude: { type: "number", minimum: -180, maximum: 180 },
      },
    },
    modifiedAt: {
      description: "When the file was last changed, UTC.",
      type: "string",
      pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$",
    },
  },
} as const;

/** The bytes of `schema/v1.json`. */
export function printSchema(): Uint8Array {
  return utf8(printVisibleJson(META_SCHEMA));
}
