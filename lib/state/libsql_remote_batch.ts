/** Statements that a libSQL server runs as one transaction, in one request and its answer. */
import {
  createClient,
  LibsqlBatchError,
  LibsqlError,
} from "@libsql/client/http";
import { abortError, messageOf, TesserasError } from "@tesseras/core";
import { exchangeFetch, said, serverFailure } from "./libsql_remote_answer.ts";
import type { SqlResults, SqlRow, SqlValue, Statement } from "./sql.ts";

/** Steps around the statements of a transaction: its begin, its commit and its rollback. */
const TRANSACTION_STEPS = 3;

/** What a transaction may do: write from its first statement on, or read. */
export type BatchMode = "write" | "deferred";

/** Rows of every statement, or the first statement that the server refused, after which nothing of them is left. */
export type BatchOutcome =
  | { readonly results: SqlResults }
  | { readonly refusedAt: number; readonly error: TesserasError };

/**
 * Runs statements in one transaction.
 *
 * @param ended ends it, with its reason
 * @throws `unreachable`, `overloaded`, `unusable`, `diskFull`, or the signal's error: whether it happened is not known then
 */
export async function runBatch(
  to: { readonly endpoint: string; readonly token: string | undefined },
  { statements, mode }: {
    readonly statements: readonly Statement[];
    readonly mode: BatchMode;
  },
  ended: AbortSignal,
): Promise<BatchOutcome> {
  const stepCount = statements.length + TRANSACTION_STEPS;
  const exchange = exchangeFetch({ ...to, stepCount, signal: ended });
  // A client for each call: it has no other way to end one, and holds nothing. It never sees the token.
  const client = createClient({
    url: new URL("..", to.endpoint).href,
    intMode: "bigint",
    fetch: exchange.fetch,
  });
  try {
    const results = await client.batch(
      statements.map(({ sql, args }) => ({ sql, args: [...args] })),
      mode,
    );
    return { results: results.map(({ rows }) => rows.map(rowOf)) };
  } catch (error) {
    if (ended.aborted) throw abortError(ended);
    const failure = exchange.failure() ?? toTesserasError(error, to.token);
    if (!(error instanceof LibsqlBatchError)) throw failure;
    return { refusedAt: error.statementIndex, error: failure };
  } finally {
    client.close();
  }
}

/** A row as the client gives it: a list without the methods of one. */
function rowOf(row: ArrayLike<unknown>): SqlRow {
  return Array.from(row, valueOf);
}

function valueOf(value: unknown): SqlValue {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (
    value === null || typeof value === "string" || typeof value === "bigint"
  ) return value;
  throw serverFailure("unusable", `it answered a ${typeof value} in a row`);
}

/**
 * The sentence for what a server says is wrong, by the name of SQLite's result code (https://www.sqlite.org/rescode.html). What it
 * said goes nowhere else: it knows the token, and might repeat it.
 */
function toTesserasError(
  error: unknown,
  token: string | undefined,
): TesserasError {
  if (error instanceof TesserasError) return error;
  if (!(error instanceof LibsqlError)) {
    return serverFailure("unusable", "its answer cannot be read");
  }
  const { code } = error;
  const told = said(`${code}: ${messageOf(error)}`, token);
  const is = (...names: readonly string[]) =>
    names.some((name) => code.startsWith(name));
  if (is("SQLITE_BUSY", "SQLITE_LOCKED", "TRANSACTION_")) {
    return serverFailure("overloaded", `another kept it locked (${told})`);
  }
  if (is("SQLITE_FULL")) {
    return serverFailure("diskFull", "no space is left on its disk");
  }
  if (is("SQLITE_CORRUPT", "SQLITE_NOTADB")) {
    return serverFailure("corrupt", `the database is damaged (${told})`);
  }
  // Of the rows it was given, not of itself: each of several writes is then tried alone.
  if (is("SQLITE_CONSTRAINT")) {
    return serverFailure("corrupt", `it refused a row (${told})`);
  }
  return serverFailure("unusable", told);
}
