/** `tes export`: a folder that needs no software of ours. */
import { resolve } from "node:path";
import { exportTessera } from "@tesseras/archive/folder";
import { toHex } from "@tesseras/core";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { openArchive } from "../open_archive.ts";

/** Writes `tessera-<hash>` into the destination, whole or not at all. */
export async function exportCommand(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime, progress } = context;
  await using opened = await openArchive(
    await context.paths(),
    runtime,
    signal,
  );
  const { archive } = opened;
  const id = await archive.resolve(argumentAt(context, 0), signal);
  const source = await archive.source(id, signal);
  // As it was typed, but for slashes at its end.
  const destination = argumentAt(context, 1).replace(/(?<=.)\/+$/, "");
  const path = await exportTessera(
    { id, source, destination },
    ({ doneBytes, totalBytes }) =>
      progress.show("Exporting", doneBytes, totalBytes),
    signal,
  );
  const files = await source.list(signal);
  return {
    json: {
      hash: toHex(id),
      path: resolve(path),
      fileCount: files.length,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    lines: [`Exported to ${path}`],
  };
}
