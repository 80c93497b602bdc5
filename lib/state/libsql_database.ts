/** One libSQL file and the statements it runs: opened with our settings, migrated, its errors told in our codes. */
import {
  type Client,
  createClient,
  type InArgs,
  LibsqlError,
  type ResultSet,
} from "@libsql/client/sqlite3";
import {
  type ErrorCode,
  messageOf,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type {
  Database,
  SqlResults,
  SqlRow,
  SqlValue,
  Statement,
} from "./sql.ts";
import { MIGRATIONS } from "./libsql_schema.ts";

/** How long a statement waits for another process to let go of the database. */
const BUSY_TIMEOUT_MS = 5_000;
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
    return new LocalDatabase(
      path,
      createClient({
        url: pathToFileURL(path).href,
        // Settings belong to a connection: with one there is none that lacks them.
        concurrency: 1,
        intMode: "bigint",
        timeout: BUSY_TIMEOUT_MS,
      }),
    );
  } catch (error) {
    throw toTesserasError(error, path);
  }
}

class LocalDatabase implements Database {
  readonly #path: string;
  readonly #client: Client;
  /** One statement after the other, and closing after the last. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, client: Client) {
    this.#path = path;
    this.#client = client;
  }

  write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    return this.#run(signal, async () => {
      // "write" takes the lock at once; a transaction that reads first and then
      // finds another writer in its way could only fail.
      const results = await this.#client.batch(
        statements.map(({ sql, args }) => ({ sql, args: [...args] })),
        "write",
      );
      return results.map(rowsOf);
    });
  }

  read(statement: Statement, signal: AbortSignal): Promise<readonly SqlRow[]> {
    return this.#run(signal, async () => {
      const args: InArgs = [...statement.args];
      return rowsOf(await this.#client.execute({ sql: statement.sql, args }));
    });
  }

  /** Applies settings and migrations. */
  async prepare(signal: AbortSignal): Promise<void> {
    await this.#run(signal, () => this.#switchToWal(signal));
    // An acknowledged write is on the disk, and a row cannot outlive what it refers to.
    await this.#run(signal, () =>
      this.#client.executeMultiple(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
      ));
    await this.#run(signal, () => this.#migrate());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    this.#client.close();
  }

  async #run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal);
    const turn = this.#last.then(work);
    // Who asked is told of a failure; who comes next has nothing to do with it.
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } catch (error) {
      throw toTesserasError(error, this.#path);
    }
  }

  /** Write-ahead logging lets others read while one writes. The file keeps the setting. */
  async #switchToWal(signal: AbortSignal): Promise<void> {
    for (let leftMs = BUSY_TIMEOUT_MS;; leftMs -= SWITCH_PAUSE_MS) {
      throwIfAborted(signal);
      try {
        await this.#client.execute("PRAGMA journal_mode = WAL");
        return;
      } catch (error) {
        const busy = error instanceof LibsqlError &&
          error.code === "SQLITE_BUSY";
        if (!busy || leftMs <= 0) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, SWITCH_PAUSE_MS));
    }
  }

  async #migrate(): Promise<void> {
    const applied = versionOf(
      await this.#client.execute("PRAGMA user_version"),
    );
    if (applied === MIGRATIONS.length) return;
    const transaction = await this.#client.transaction("write");
    try {
      // Read again under the lock: another process may have migrated meanwhile.
      const from = versionOf(await transaction.execute("PRAGMA user_version"));
      if (from > MIGRATIONS.length) {
        throw new TesserasError(
          "unusable",
          `Cannot open ${this.#path}: it was written by a newer version of Tesseras (schema ${from}, this one knows ${MIGRATIONS.length})`,
        );
      }
      await transaction.batch([
        ...MIGRATIONS.slice(from).flat(),
        `PRAGMA user_version = ${MIGRATIONS.length}`,
      ]);
      await transaction.commit();
    } finally {
      transaction.close();
    }
  }
}

function versionOf(result: ResultSet): number {
  return Number(result.rows[0]?.[0] ?? 0);
}

function rowsOf(result: ResultSet): readonly SqlRow[] {
  return result.rows.map((row) =>
    Array.from({ length: row.length }, (_, column) => valueOf(row[column]!))
  );
}

function valueOf(value: ResultSet["rows"][number][number]): SqlValue {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  // Our tables have no floats, and integers arrive as bigint.
  return typeof value === "number" ? BigInt(value) : value;
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
  if (!(error instanceof LibsqlError)) return error;
  const tell = (
    code: ErrorCode,
    what: string,
  ) => new TesserasError(code, `Cannot use ${path}: ${what}`, { cause: error });
  switch (error.code) {
    case "SQLITE_FULL":
      return tell("diskFull", "no space is left on its disk");
    case "SQLITE_BUSY":
    case "SQLITE_LOCKED":
      return tell(
        "overloaded",
        `another process kept it locked for ${BUSY_TIMEOUT_MS / 1_000} s`,
      );
    case "SQLITE_CORRUPT":
      return tell("corrupt", "it is damaged");
    case "SQLITE_NOTADB":
      return tell("corrupt", "it is not a database");
    case "CLIENT_CLOSED":
      return tell("cancelled", "it is closed");
    case "SQLITE_CANTOPEN":
    case "SQLITE_PERM":
    case "SQLITE_READONLY":
    case "SQLITE_IOERR":
      return tell("unusable", `${error.message} (${error.extendedCode})`);
    default:
      return error;
  }
}
