/** The one table that only a database in a libSQL server has: whose it is, of which version, and whose turn it is to write. */
import { type NodeId, nodeId } from "@tesseras/core";
import { bytesAt, numberAt, statement } from "./libsql_columns.ts";
import type { SqlRow, Statement } from "./sql.ts";

/** What {@link readSeal} takes. `schema` is here because servers refuse most pragmas. */
const SEAL =
  `SELECT database, node, schema, session, turn, (SELECT foreign_keys FROM pragma_foreign_keys) FROM tesseras`;

/** Whose database it is and who writes to it. */
export type Seal = {
  /** Its name, drawn when it was made. */
  readonly database: Uint8Array;
  readonly node: NodeId;
  readonly schema: number;
  /** Who opened it last. */
  readonly session: Uint8Array;
  /** Number of the session's last transaction that wrote. */
  readonly turn: number;
  readonly hasForeignKeys: boolean;
};

/** Tables of ours and of others, not those that servers keep for themselves. */
export function tables(): Statement {
  return statement(
    `SELECT name = 'tesseras' FROM sqlite_schema WHERE type = 'table'
      AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'libsql_*' AND name NOT GLOB '_litestream_*'`,
  );
}

/** The seal, for {@link readSeal}. */
export function seal(): Statement {
  return statement(SEAL);
}

/** The row of {@link seal}. @throws `corrupt` when a column holds something else */
export function readSeal(row: SqlRow): Seal {
  return {
    database: bytesAt(row, 0),
    node: nodeId(bytesAt(row, 1)),
    schema: numberAt(row, 2),
    session: bytesAt(row, 3),
    turn: numberAt(row, 4),
    hasForeignKeys: numberAt(row, 5) === 1,
  };
}

/** Seals a database that is empty; fails where there is a seal. */
export function makeSeal(
  made: Pick<Seal, "database" | "node" | "schema" | "session">,
): readonly Statement[] {
  return [
    statement(
      `CREATE TABLE tesseras (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        database BLOB NOT NULL,
        node BLOB NOT NULL,
        schema INTEGER NOT NULL,
        session BLOB NOT NULL,
        turn INTEGER NOT NULL
      ) STRICT`,
    ),
    statement(
      "INSERT INTO tesseras VALUES (1, ?, ?, ?, ?, 0)",
      made.database,
      made.node,
      made.schema,
      made.session,
    ),
  ];
}

/** Takes the database over from the session that was seen; fails when another did so meanwhile. */
export function takeOver(
  seen: Seal,
  { session, schema }: Pick<Seal, "session" | "schema">,
): Statement {
  return statement(
    "UPDATE tesseras SET turn = 0, schema = ?3, session = iif(session = ?1 AND schema = ?4, ?2, NULL)",
    seen.session,
    session,
    schema,
    seen.schema,
  );
}

/** What a session knows of its own writes. */
export type Turns = {
  readonly session: Uint8Array;
  /** The last one that is surely there. */
  readonly done: number;
  /** The one that writes now, higher than any before, whatever became of those. */
  readonly now: number;
};

/**
 * Fails, and everything with it, unless the session still has the database, everything acknowledged is there, nothing later than
 * this is, and rows cannot outlive what they refer to.
 */
export function takeTurn({ session, done, now }: Turns): Statement {
  return statement(
    `UPDATE tesseras SET turn = iif(session = ?1 AND turn >= ?2 AND turn < ?3
      AND (SELECT foreign_keys FROM pragma_foreign_keys) = 1, ?3, NULL)`,
    session,
    done,
    now,
  );
}
