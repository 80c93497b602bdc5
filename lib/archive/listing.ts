/** The moment a tessera comes to be listed: rows for all of it, once every blob is durable. */
import {
  type Hash,
  type TesseraId,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import type { FileRow, Origin, TesseraRow } from "@tesseras/state";
import {
  isMediaPath,
  type Manifest,
  MANIFEST_PATH,
  packLayout,
} from "@tesseras/tessera";
import { type Keepers, removeUnneeded } from "./holds.ts";
import type { Intake } from "./intake.ts";

/** A tessera about to be listed. */
export type Described = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  /** Every file, the MANIFEST too. */
  readonly files: readonly FileRow[];
  readonly addedAtMs: number;
  readonly origin: Origin;
};

/** The row of a tessera. @throws `unusable` when its pack is larger than one may be */
export function describe(
  { id, manifest, files, addedAtMs, origin }: Described,
): TesseraRow {
  return {
    id,
    createdAtMs: manifest.createdAtMs,
    addedAtMs,
    title: manifest.title,
    visibility: manifest.visibility,
    memoryCount: files.filter(({ path }) => isMediaPath(path)).length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    packBytes: packLayout(files).bytes,
    origin,
    manifest: manifestOf(files),
  };
}

/**
 * Lists a tessera whose blobs are all in the intake.
 *
 * @throws `inUse` when another process removed a blob meanwhile; the tessera is not listed then
 */
export async function addRows(
  keepers: Keepers,
  intake: Intake,
  { row, files }: {
    readonly row: TesseraRow;
    readonly files: readonly FileRow[];
  },
  signal: AbortSignal,
): Promise<"added" | "exists"> {
  throwIfAborted(signal);
  // From here on there is no stopping: a write that we no longer wait for may still happen, and name blobs we remove.
  const never = new AbortController().signal;
  const status = await keepers.state.addTessera(row, files, never);
  // One that was here before has its blobs named by its own rows.
  if (status === "exists") return status;
  try {
    await intake.keep(signal);
  } catch (error) {
    await removeUnneeded(
      keepers,
      await keepers.state.removeTessera(row.id, never),
      never,
    );
    throw error;
  }
  return status;
}

function manifestOf(files: readonly FileRow[]): Hash {
  const file = files.find(({ path }) => path === MANIFEST_PATH);
  if (file !== undefined) return file.hash;
  throw new TesserasError(
    "malformed",
    "Cannot list tessera: there is no MANIFEST among its files",
  );
}
