/** One libSQL file and the statements it runs: opened with our settings, migrated, its errors told in our codes. */
import {
  codeOf,
  type ErrorCode,
  messageOf,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { dirname } from "node:path";
import { LibsqlConnection, rawCodeOf } from "./libsql_connection.ts";
import { MIGRATIONS } from "./libsql_schema.ts";
import type { Database, SqlResults, SqlRow, Statement } from "./sql.ts";

/** How long a statement waits for another process to let go of the database. */
const BUSY_TIMEOUT_MS = 5_000;
/** Why SQLite refuses (https://www.sqlite.org/rescode.html, primary result codes). */
const SQLITE = {
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
};
/** Pauses between attempts to switch to write-ahead logging, which does not wait by itself. */
const SWITCH_PAUSE_MS = 50;

/**
 * Opens the database in this thread, which waits while a statement runs.
 * Creates what is missing: folder (0700), file (0600), tables.
 *
 * @throws `unusable` when it cannot be opened or a newer program wrote it, `corrupt` when it is no database
 */
export async function openDatabase(
  path: string,
  signal: AbortSignal,
): Promise<Database> {
  await createFile(path);
  throwIfAborted(signal);
  const database = open(path);
  try {
    await database.prepare(signal);
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

function open(path: string): LocalDatabase {
  try {
    return new LocalDatabase(path, new LibsqlConnection(path, BUSY_TIMEOUT_MS));
  } catch (error) {
    throw toTesserasError(error, path);
  }
}

/** Nothing in here waits but for the disk, so statements run in the order in which they were asked for. */
class LocalDatabase implements Database {
  readonly #path: string;
  readonly #connection: LibsqlConnection;
  #isClosed = false;

  constructor(path: string, connection: LibsqlConnection) {
    this.#path = path;
    this.#connection = connection;
  }

  write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    return this.#run(
      signal,
      () => this.#connection.transaction(() => this.#rowsOf(statements)),
    );
  }

  read(statement: Statement, signal: AbortSignal): Promise<readonly SqlRow[]> {
    return this.#run(signal, () => this.#connection.run(statement));
  }

  /** Applies settings and migrations. */
  async prepare(signal: AbortSignal): Promise<void> {
    await this.#switchToWal(signal);
    await this.#run(signal, () => {
      // An acknowledged write is on the disk, and a row cannot outlive what it refers to.
      this.#connection.runOnce("PRAGMA synchronous = FULL");
      this.#connection.runOnce("PRAGMA foreign_keys = ON");
      this.#migrate();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) this.#connection.close();
    this.#isClosed = true;
    return Promise.resolve();
  }

  #rowsOf(statements: readonly Statement[]): SqlResults {
    return statements.map((one) => this.#connection.run(one));
  }

  // deno-lint-ignore require-await -- what it throws is a rejection
  async #run<T>(signal: AbortSignal, work: () => T): Promise<T> {
    throwIfAborted(signal);
    if (this.#isClosed) {
      throw new TesserasError(
        "cancelled",
        `Cannot use ${this.#path}: it is closed`,
      );
    }
    try {
      return work();
    } catch (error) {
      throw toTesserasError(error, this.#path);
    }
  }

  /** Write-ahead logging lets others read while one writes. The file keeps the setting. */
  async #switchToWal(signal: AbortSignal): Promise<void> {
    for (let leftMs = BUSY_TIMEOUT_MS;; leftMs -= SWITCH_PAUSE_MS) {
      try {
        await this.#run(
          signal,
          () => this.#connection.runOnce("PRAGMA journal_mode = WAL"),
        );
        return;
      } catch (error) {
        if (codeOf(error) !== "overloaded" || leftMs <= 0) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, SWITCH_PAUSE_MS));
    }
  }

  #migrate(): void {
    const connection = this.#connection;
    if (versionOf(connection) === MIGRATIONS.length) return;
    connection.transaction(() => {
      // Read again under the lock: another process may have migrated meanwhile.
      const from = versionOf(connection);
      if (from > MIGRATIONS.length) {
        throw new TesserasError(
          "unusable",
          `Cannot open ${this.#path}: it was written by a newer version of Tesseras (schema ${from}, this one knows ${MIGRATIONS.length})`,
        );
      }
      for (const sql of MIGRATIONS.slice(from).flat()) connection.runOnce(sql);
      connection.runOnce(`PRAGMA user_version = ${MIGRATIONS.length}`);
    });
  }
}

function versionOf(connection: LibsqlConnection): number {
  return Number(connection.runOnce("PRAGMA user_version")[0]?.[0] ?? 0);
}

/**
 * An empty file is a valid empty database; SQLite gives its companions the same mode. One that is there is not opened: closing it
 * again would release every lock this process has on it (fcntl(2), "Advisory record locking"), those of a connection that was
 * closed and not yet collected too, and another process could then take the log away from under the next connection.
 */
async function createFile(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    if (!await isPresent(path)) await createEmpty(path);
    // SQLite syncs its own folder, but not that folder's name.
    if ((await Deno.stat(path)).size === 0) await syncFolder(dirname(folder));
  } catch (cause) {
    throw new TesserasError(
      "unusable",
      `Cannot create database ${path}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

async function createEmpty(path: string): Promise<void> {
  try {
    const options = { write: true, createNew: true, mode: 0o600 };
    (await Deno.open(path, options)).close();
  } catch (error) {
    // Another process was faster.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function isPresent(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  using handle = await Deno.open(folder);
  await handle.sync();
}

/** The sentence for a failure of libSQL; what is our own bug stays as it is. */
function toTesserasError(error: unknown, path: string): unknown {
  const tell = (
    code: ErrorCode,
    what: string,
  ) => new TesserasError(code, `Cannot use ${path}: ${what}`, { cause: error });
  switch (rawCodeOf(error)) {
    case SQLITE.FULL:
      return tell("diskFull", "no space is left on its disk");
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
      return tell(
        "overloaded",
        `another process kept it locked for ${BUSY_TIMEOUT_MS / 1_000} s`,
      );
    case SQLITE.CORRUPT:
      return tell("corrupt", "it is damaged");
    case SQLITE.NOTADB:
      return tell("corrupt", "it is not a database");
    case SQLITE.CANTOPEN:
    case SQLITE.PERM:
    case SQLITE.READONLY:
    case SQLITE.IOERR:
      return tell("unusable", messageOf(error));
    default:
      return error;
  }
}
