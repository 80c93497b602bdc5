/** State in libSQL: one file that survives a power cut and that several processes may share, or a database of a libSQL server. */
import { GroupCommit } from "./group_commit.ts";
import type { RemoteDatabase, RemoteOptions } from "./libsql_remote.ts";
import { LibsqlState } from "./libsql_state.ts";
import { openThread } from "./libsql_thread.ts";
import { type Database, databasePath } from "./sql.ts";
import type { State } from "./state.ts";

export { SCHEMA_VERSION } from "./libsql_schema.ts";

/** Where the database is and who waits for it. */
export type LibsqlOptions = {
  /** A `file:` URL, escaped as URLs are (`pathToFileURL`). Folder and file are made when missing. */
  readonly url: string;
  /** A thread of its own, for programs that serve; without it the caller's thread waits, which starts faster. */
  readonly worker: boolean;
};

/**
 * Opens the state, and makes or migrates its tables. Dispose what it returns.
 *
 * @throws `unusable` when the file cannot be opened or a newer program wrote it, `corrupt` when it is no database,
 * `overloaded` when another process holds it
 */
export async function openLibsqlState(
  options: LibsqlOptions,
  signal: AbortSignal,
): Promise<State> {
  const path = databasePath(options.url);
  return new LibsqlState(new GroupCommit(await open(path, options, signal)));
}

/** The state in a libSQL server, and the database it is in. */
export type ServerState = Pick<RemoteDatabase, "database" | "lost"> & {
  readonly state: State;
};

/**
 * Opens the state in a libSQL server, and makes or migrates its tables. Dispose the state.
 *
 * @throws as `openRemoteDatabase`
 */
export async function openServerState(
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<ServerState> {
  // Loaded here alone: most nodes have a file.
  const { openRemoteDatabase } = await import("./libsql_remote.ts");
  const remote = await openRemoteDatabase(options, signal);
  const { database, lost } = remote;
  return { state: new LibsqlState(new GroupCommit(remote)), database, lost };
}

/**
 * What is wrong with the database at a `file:` URL, a text each; nothing when it is sound. Reads all of it. One that is absent is
 * made.
 *
 * @throws `unusable` when it cannot be opened or a newer program wrote it, `overloaded` when another process holds it
 */
export async function libsqlDamage(
  url: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { findDamage } = await import("./libsql_damage.ts");
  return await findDamage(databasePath(url), signal);
}

async function open(
  path: string,
  { worker }: LibsqlOptions,
  signal: AbortSignal,
): Promise<Database> {
  if (worker) return await openThread(path, signal);
  // Loaded here alone: beside a thread it would lie in memory twice.
  const { openDatabase } = await import("./libsql_database.ts");
  return await openDatabase(path, signal);
}
