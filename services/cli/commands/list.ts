/** `tes list`: the tesseras on this disk. */
import { pathToFileURL } from "node:url";
import { toHex } from "@tesseras/core";
import type { TesseraRow } from "@tesseras/state";
import { openLibsqlState } from "@tesseras/state/libsql";
import { printTime } from "@tesseras/tessera";
import type { Context, Outcome } from "../context.ts";
import { hasArchive } from "../open_archive.ts";
import { printSize } from "../printed.ts";

/** Hexadecimal digits of a hash in the table (user guide, "tes list"). */
const HASH_DIGITS = 16;

/** A table, the tessera added last first. */
export async function list(
  context: Context,
  signal: AbortSignal,
): Promise<Outcome> {
  const rows = await tesserasIn(context, signal);
  return {
    json: { tesseras: rows.map(rowJson) },
    lines: rows.length === 0 ? ["No tesseras found."] : tableOf(rows),
  };
}

async function tesserasIn(
  context: Context,
  signal: AbortSignal,
): Promise<readonly TesseraRow[]> {
  const paths = await context.paths();
  if (!await hasArchive(paths)) return [];
  const url = pathToFileURL(paths.database).href;
  await using state = await openLibsqlState({ url, worker: false }, signal);
  return await state.tesseras(signal);
}

function rowJson(row: TesseraRow) {
  return {
    hash: toHex(row.id),
    title: row.title,
    createdAt: printTime(row.createdAtMs),
    addedAt: printTime(row.addedAtMs),
    memoryCount: row.memoryCount,
    bytes: row.bytes,
    packBytes: row.packBytes,
    visibility: row.visibility,
    origin: row.origin,
  };
}

function tableOf(rows: readonly TesseraRow[]): readonly string[] {
  const sizes = rows.map(({ bytes }) => printSize(bytes));
  const width = Math.max(6, ...sizes.map(({ length }) => length));
  return [
    `${"Hash".padEnd(HASH_DIGITS)} Created     Memories  ${
      "Size".padEnd(width)
    }  Visibility`,
    ...rows.map(({ id, createdAtMs, memoryCount, visibility }, at) =>
      [
        `${toHex(id).slice(0, HASH_DIGITS)} ${
          printTime(createdAtMs).slice(0, 10)
        }`,
        String(memoryCount).padStart(8),
        sizes[at]!.padStart(width),
        visibility,
      ].join("  ")
    ),
  ];
}
