/** Between rows and columns: what is bound to a statement, and what comes out of one. */
import { hash, nodeId, tesseraId, TesserasError, toHex } from "@tesseras/core";
import type { SqlRow, SqlValue, Statement } from "./sql.ts";
import {
  type FileRow,
  type FragmentRow,
  type Holding,
  type Origin,
  ORIGINS,
  type PeerRow,
  type PlanRow,
  type PointerRow,
  PUBLICATION_STATES,
  type PublicationRow,
  type TesseraRow,
  VISIBILITIES,
} from "./rows.ts";

/** Rows handed to one statement as a JSON list: a statement for each would cost several calls into SQLite. */
const LIST_ROWS_MAX = 500;

/** A statement and what is bound to it: numbers as integers, `undefined` as NULL. */
export function statement(
  sql: string,
  ...args: readonly (SqlValue | number | undefined)[]
): Statement {
  return {
    sql,
    args: args.map((arg) =>
      typeof arg === "number" ? BigInt(arg) : arg ?? null
    ),
  };
}

/** What a list for `json_each` may hold; `undefined` becomes NULL. */
type Listed = string | number | Uint8Array | undefined;

/** A list for `json_each`, its bytes in hexadecimal. */
export function jsonList(list: readonly (readonly Listed[])[]): string {
  return JSON.stringify(
    list.map((row) =>
      row.map((value) => value instanceof Uint8Array ? toHex(value) : value)
    ),
  );
}

/** A statement whose only value is a list, as often as the list is long. */
export function listStatements(
  sql: string,
  list: readonly (readonly Listed[])[],
): readonly Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < list.length; at += LIST_ROWS_MAX) {
    statements.push(
      statement(sql, jsonList(list.slice(at, at + LIST_ROWS_MAX))),
    );
  }
  return statements;
}

/** What {@link readTessera} takes, in its order. */
export const TESSERA_COLUMNS =
  "id, created_at_ms, added_at_ms, title, visibility, memory_count, bytes, pack_bytes, origin, manifest";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readTessera(row: SqlRow): TesseraRow {
  return {
    id: tesseraId(bytesAt(row, 0)),
    createdAtMs: numberAt(row, 1),
    addedAtMs: numberAt(row, 2),
    title: textAt(row, 3),
    visibility: wordAt(row, 4, VISIBILITIES),
    memoryCount: numberAt(row, 5),
    bytes: numberAt(row, 6),
    packBytes: numberAt(row, 7),
    origin: wordAt<Origin>(row, 8, ORIGINS),
    manifest: hash(bytesAt(row, 9)),
  };
}

/** What {@link readFile} takes, in its order. */
export const FILE_COLUMNS = "path, hash, bytes";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readFile(row: SqlRow): FileRow {
  return {
    path: textAt(row, 0),
    hash: hash(bytesAt(row, 1)),
    bytes: numberAt(row, 2),
  };
}

/** What {@link readPlan} takes, in its order. */
export const PLAN_COLUMNS = "hash, tessera_id, bytes";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readPlan(row: SqlRow): PlanRow {
  return {
    hash: hash(bytesAt(row, 0)),
    tesseraId: tesseraId(bytesAt(row, 1)),
    bytes: bytesAt(row, 2),
  };
}

/** What {@link readFragment} takes, in its order. */
export const FRAGMENT_COLUMNS =
  "plan_hash, fragment_index, tessera_id, blob, bytes, owner, stored_at_ms, subnet, repair";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readFragment(row: SqlRow): FragmentRow {
  return {
    planHash: hash(bytesAt(row, 0)),
    index: numberAt(row, 1),
    tesseraId: tesseraId(bytesAt(row, 2)),
    blob: hash(bytesAt(row, 3)),
    bytes: numberAt(row, 4),
    owner: row[5] === null ? undefined : nodeId(bytesAt(row, 5)),
    storedAtMs: numberAt(row, 6),
    subnet: optionalTextAt(row, 7),
    isRepair: flagAt(row, 8),
  };
}

/** What {@link readHolding} takes, in its order. */
export const HOLDING_COLUMNS = "tessera_id, plan_hash";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readHolding(row: SqlRow): Holding {
  return {
    tesseraId: tesseraId(bytesAt(row, 0)),
    planHash: hash(bytesAt(row, 1)),
  };
}

/** What {@link readPublication} takes, in its order. */
export const PUBLICATION_COLUMNS =
  "tessera_id, plan_hash, state, updated_at_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readPublication(row: SqlRow): PublicationRow {
  return {
    tesseraId: tesseraId(bytesAt(row, 0)),
    planHash: hash(bytesAt(row, 1)),
    state: wordAt(row, 2, PUBLICATION_STATES),
    updatedAtMs: numberAt(row, 3),
  };
}

/** What {@link readPointer} takes, in its order. */
export const POINTER_COLUMNS =
  "tessera_id, holder, plan_hash, record, holder_record, sequence, expires_at_ms, subnet";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readPointer(row: SqlRow): PointerRow {
  return {
    tesseraId: tesseraId(bytesAt(row, 0)),
    holder: nodeId(bytesAt(row, 1)),
    planHash: hash(bytesAt(row, 2)),
    record: bytesAt(row, 3),
    holderRecord: bytesAt(row, 4),
    sequence: numberAt(row, 5),
    expiresAtMs: numberAt(row, 6),
    subnet: optionalTextAt(row, 7),
  };
}

/** What {@link readPeer} takes, in its order. */
export const PEER_COLUMNS = "id, record, last_seen_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readPeer(row: SqlRow): PeerRow {
  return {
    id: nodeId(bytesAt(row, 0)),
    record: bytesAt(row, 1),
    lastSeenMs: numberAt(row, 2),
  };
}

/** @throws `corrupt` unless the column holds an integer */
export function numberAt(row: SqlRow, column: number): number {
  const value = row[column];
  if (typeof value === "bigint") return Number(value);
  throw unfit(row, column, "an integer");
}

/** @throws `corrupt` unless the column holds bytes */
export function bytesAt(row: SqlRow, column: number): Uint8Array {
  const value = row[column];
  if (value instanceof Uint8Array) return value;
  throw unfit(row, column, "bytes");
}

/** @throws `corrupt` unless the column holds an integer */
export function flagAt(row: SqlRow, column: number): boolean {
  return numberAt(row, column) === 1;
}

/** @throws `corrupt` unless the column holds an integer or nothing */
export function optionalNumberAt(
  row: SqlRow,
  column: number,
): number | undefined {
  return row[column] === null ? undefined : numberAt(row, column);
}

/** @throws `corrupt` unless the column holds a text */
export function textAt(row: SqlRow, column: number): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw unfit(row, column, "a text");
}

function optionalTextAt(row: SqlRow, column: number): string | undefined {
  return row[column] === null ? undefined : textAt(row, column);
}

/** @throws `corrupt` unless the column holds one of the words */
export function wordAt<T extends string>(
  row: SqlRow,
  column: number,
  words: readonly T[],
): T {
  const word = words.find((each) => each === row[column]);
  if (word !== undefined) return word;
  throw unfit(row, column, `one of ${words.join(", ")}`);
}

function unfit(row: SqlRow, column: number, wanted: string): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot read the database: column ${column} holds ${typeof row[
      column
    ]}, wanted ${wanted}`,
  );
}
