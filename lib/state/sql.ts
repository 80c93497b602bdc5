/** What runs SQL for the state, whichever thread it lives in; this file loads nothing of libSQL. */
import { TesserasError } from "@tesseras/core";
import { fileURLToPath } from "node:url";

/** What a column holds. Numbers are bigint: a JavaScript number would be stored as a float. */
export type SqlValue = string | bigint | Uint8Array | null;
/** A statement with its values in order. */
export type Statement = {
  readonly sql: string;
  readonly args: readonly SqlValue[];
};
/** The values of one row, in the order the statement names them. */
export type SqlRow = readonly SqlValue[];
/** The rows of every statement. */
export type SqlResults = readonly (readonly SqlRow[])[];

/** Something that runs statements: the database itself, or a thread that owns it. */
export interface Database extends AsyncDisposable {
  /** Runs statements as one transaction that may write; a failure leaves nothing of them. */
  write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults>;
  /** Runs one statement that only reads. */
  read(statement: Statement, signal: AbortSignal): Promise<readonly SqlRow[]>;
}

/**
 * The path of a `file:` URL.
 *
 * @throws `unusable` for any other URL
 */
export function databasePath(url: string): string {
  try {
    if (url.startsWith("file:")) return fileURLToPath(url);
  } catch (cause) {
    throw new TesserasError("unusable", `Cannot read database URL ${url}`, {
      cause,
    });
  }
  throw new TesserasError(
    "unusable",
    `Cannot open database ${url}: wanted a file: URL`,
  );
}
