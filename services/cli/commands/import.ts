/** `tes import`: an export or a tar of one becomes part of the archive. */
import { quoted } from "@tesseras/archive";
import { toHex } from "@tesseras/core";
import { argumentAt, type Context, type Outcome } from "../context.ts";
import { makeArchive } from "../open_archive.ts";
import { openSource } from "../open_source.ts";

/** Copies and verifies in one pass. */
export async function importCommand(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const { runtime, progress } = context;
  await using source = await openSource(argumentAt(context, 0), signal);
  await using opened = await makeArchive(
    await context.paths(),
    runtime,
    signal,
  );
  const { id, manifest, status, ignored } = await opened.archive.import(
    { source },
    ({ doneBytes, totalBytes }) =>
      progress.show("Copying and verifying", doneBytes, totalBytes),
    signal,
  );
  const hash = toHex(id);
  return {
    json: { hash, title: manifest.title, status, ignored },
    lines: [
      ...ignored.map((name) =>
        `Note: ${quoted(name)} lies beside the tessera and is no part of it`
      ),
      status === "added"
        ? `Imported ${quoted(manifest.title)}`
        : `${quoted(manifest.title)} was here already, and is whole`,
      `Content hash: ${hash}`,
    ],
  };
}
