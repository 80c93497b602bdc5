/** Whether a database file is sound. */
import { codeOf, messageOf } from "@tesseras/core";
import { openDatabase } from "./libsql_database.ts";
import { statement } from "./libsql_columns.ts";

/** Problems told; one is enough to know. */
const PROBLEMS_MAX = 10;

/** See `libsqlDamage`. */
export async function findDamage(
  path: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    await using database = await openDatabase(path, signal);
    const check = statement(`PRAGMA integrity_check(${PROBLEMS_MAX})`);
    const rows = await database.read(check, signal);
    return rows.map(([text]) => String(text)).filter((text) => text !== "ok");
  } catch (error) {
    if (codeOf(error) === "corrupt") return [messageOf(error)];
    throw error;
  }
}
