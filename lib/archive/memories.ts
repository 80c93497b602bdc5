/** The memories of a tessera, with what its creator's files tell about them. */
import { fromUtf8, mapBounded, TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import type { Blobs } from "@tesseras/blobs";
import type { FileRow } from "@tesseras/state";
import { isMediaPath, type Manifest } from "@tesseras/tessera";
import { readFile } from "./stored.ts";

/** Files read at once. */
const READ_PARALLEL = 16;
/** Bytes of a `meta.json`; ours have hundreds. */
const META_BYTES_MAX = 1 * MIB;

/** One memory of a stored tessera. */
export type Memory = {
  /** Where it lies in the tessera. */
  readonly path: string;
  readonly bytes: number;
  readonly mime: string;
  /** What `meta.json` tells; each is absent where it is not told, or not in the form it should be. */
  readonly name?: string;
  readonly memoryType?: string;
  readonly takenAt?: string;
  readonly place?: { readonly latitude: number; readonly longitude: number };
};

/** Every memory by path. @throws `corrupt` when the store lost what is told about one */
export function readMemories(
  blobs: Blobs,
  { manifest, files }: {
    readonly manifest: Manifest;
    readonly files: readonly FileRow[];
  },
  signal: AbortSignal,
): Promise<readonly Memory[]> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return mapBounded(
    manifest.files.filter(({ path }) => isMediaPath(path)),
    READ_PARALLEL,
    async ({ path, bytes, mime }, signal) => {
      const meta = byPath.get(path.replace(/[^/]+$/, "meta.json"));
      const told = meta === undefined
        ? {}
        : await readMeta(blobs, meta, signal);
      return { path, bytes, mime, ...told };
    },
    signal,
  );
}

async function readMeta(
  blobs: Blobs,
  file: FileRow,
  signal: AbortSignal,
): Promise<Partial<Memory>> {
  if (file.bytes > META_BYTES_MAX) return {};
  return partsOf(parsed(await readFile(blobs, file, signal)));
}

/** Whoever made the tessera signed these bytes; that does not make them JSON. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TesserasError) {
      return undefined;
    }
    throw error;
  }
}

function partsOf(meta: unknown): Partial<Memory> {
  const name = text(meta, "name");
  const memoryType = text(meta, "memoryType");
  const takenAt = text(meta, "takenAt");
  const place = field(meta, "place");
  const latitude = field(place, "latitude");
  const longitude = field(place, "longitude");
  return {
    ...(name === undefined ? {} : { name }),
    ...(memoryType === undefined ? {} : { memoryType }),
    ...(takenAt === undefined ? {} : { takenAt }),
    ...(typeof latitude === "number" && typeof longitude === "number"
      ? { place: { latitude, longitude } }
      : {}),
  };
}

function text(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" ? found : undefined;
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
