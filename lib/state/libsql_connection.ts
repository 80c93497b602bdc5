/** One connection to a libSQL file that keeps the statements it prepared: preparing one costs several times what running it does. */
import Libsql from "libsql";
import type { SqlRow, SqlValue, Statement } from "./sql.ts";

/** Statements kept prepared: more than the state has, since a text of its own for every call would only push others out. */
const STATEMENTS_MAX = 256;

/** A statement as the platform prepared it, and whether it gives rows. */
type Prepared = {
  readonly statement: ReturnType<InstanceType<typeof Libsql>["prepare"]>;
  readonly givesRows: boolean;
};

/** A connection. Every call waits for the disk and throws what SQLite says, whose code {@link rawCodeOf} tells. */
export class LibsqlConnection {
  readonly #database: InstanceType<typeof Libsql>;
  /** By text, the one prepared first in front. */
  readonly #prepared = new Map<string, Prepared>();
  #hasWritten = false;

  /** @param busyTimeoutMs how long a statement waits for another process to let go of the database */
  constructor(path: string, busyTimeoutMs: number) {
    this.#database = new Libsql(path, { timeout: busyTimeoutMs });
  }

  /** The rows of a statement, which is kept prepared. */
  run({ sql, args }: Statement): readonly SqlRow[] {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      prepared = this.#prepare(sql);
      if (this.#prepared.size >= STATEMENTS_MAX) {
        const [oldest] = this.#prepared.keys();
        if (oldest !== undefined) this.#prepared.delete(oldest);
      }
      this.#prepared.set(sql, prepared);
    }
    return rowsOf(prepared, args);
  }

  /** The rows of a statement that nobody will run again. */
  runOnce(sql: string): readonly SqlRow[] {
    return rowsOf(this.#prepare(sql), []);
  }

  /** Does work in one transaction that may write: what it throws, or a crash, leaves nothing of it. */
  transaction<T>(work: () => T): T {
    this.#hasWritten = true;
    // The lock is taken at once: a transaction that reads first and then finds another writer in its way could only fail.
    this.run(BEGIN);
    try {
      const result = work();
      this.run(COMMIT);
      return result;
    } catch (error) {
      // A full or failing disk has rolled it back already.
      if (this.#database.inTransaction) this.run(ROLLBACK);
      throw error;
    }
  }

  /**
   * Closes it for good; nothing may be called after that. SQLite closes the file only when the last statement is collected, some
   * time later, and would then write the log back into whatever lies there by that time: so that is done now.
   */
  close(): void {
    this.#prepared.clear();
    if (this.#hasWritten) this.#writeLogBack();
    this.#database.close();
  }

  #writeLogBack(): void {
    try {
      // As far as nobody else is in the way: who closes waits for nobody.
      this.runOnce("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // What was acknowledged is as durable in the log, and whoever opens the database next finds it there.
    }
  }

  #prepare(sql: string): Prepared {
    const statement = this.#database.prepare(sql);
    const givesRows = statement.reader;
    if (givesRows) statement.raw(true).safeIntegers(true);
    return { statement, givesRows };
  }
}

const BEGIN: Statement = { sql: "BEGIN IMMEDIATE", args: [] };
const COMMIT: Statement = { sql: "COMMIT", args: [] };
const ROLLBACK: Statement = { sql: "ROLLBACK", args: [] };

/** The primary result code of a failure of SQLite, whatever class it came in; `undefined` when it is none. */
export function rawCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("rawCode" in error)) return undefined;
  return typeof error.rawCode === "number" ? error.rawCode & 0xff : undefined;
}

function rowsOf(
  { statement, givesRows }: Prepared,
  args: readonly SqlValue[],
): readonly SqlRow[] {
  if (!givesRows) {
    statement.run(args);
    return [];
  }
  // Read to their end, always: an unfinished statement would hold its view of the database open.
  return statement.all(args).map(rowOf);
}

function rowOf(row: unknown): SqlRow {
  // What raw rows are, by the setting above.
  return (row as readonly unknown[]).map(valueOf);
}

function valueOf(value: unknown): SqlValue {
  if (value instanceof Uint8Array) {
    // A Buffer, whose methods are not all those of a Uint8Array.
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  // Our tables have no floats, and integers arrive as bigint.
  return typeof value === "number" ? BigInt(value) : value as SqlValue;
}
