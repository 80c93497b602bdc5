/** What every part of the state in libSQL asks of its database. */
import { numberAt } from "./libsql_columns.ts";
import type { Database, SqlResults, SqlRow, Statement } from "./sql.ts";

/** Statements run, and rows read from what they give. */
export class Queries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Runs statements as one transaction; none need not be run. */
  async write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    if (statements.length === 0) return [];
    return await this.#database.write(statements, signal);
  }

  /** Every row of a query. */
  async all<T>(
    readRow: (row: SqlRow) => T,
    query: Statement,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    return (await this.#database.read(query, signal)).map(readRow);
  }

  /** The first row of a query, `undefined` when it has none. */
  async first<T>(
    readRow: (row: SqlRow) => T,
    query: Statement,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const [row] = await this.#database.read(query, signal);
    return row && readRow(row);
  }

  /** The number in the first column of the first row of a query. */
  async number(query: Statement, signal: AbortSignal): Promise<number> {
    const [row = []] = await this.#database.read(query, signal);
    return numberAt(row, 0);
  }
}
