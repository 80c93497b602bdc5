/** The statements of `Care` about fragments that were struck out. Named after the method they serve; a list is one transaction. */
import type { Hash } from "@tesseras/core";
import {
  FRAGMENT_COLUMNS,
  listStatements,
  statement,
} from "./libsql_columns.ts";
import type { Statements } from "./libsql_statements.ts";
import type { FragmentKey } from "./rows.ts";
import type { Statement } from "./sql.ts";

/** Of `Care.strikeOut`. */
export function strikeOut(key: FragmentKey, atMs: number): Statements {
  const { planHash, index } = key;
  return [
    statement(
      `INSERT INTO struck (${FRAGMENT_COLUMNS}, struck_at_ms)
      SELECT ${FRAGMENT_COLUMNS}, ?3 FROM fragment
      WHERE plan_hash = ?1 AND fragment_index = ?2
      ON CONFLICT DO UPDATE SET struck_at_ms = excluded.struck_at_ms`,
      planHash,
      index,
      atMs,
    ),
    statement(
      "DELETE FROM fragment WHERE plan_hash = ? AND fragment_index = ?",
      planHash,
      index,
    ),
  ];
}

/** Of `Care.struck`. */
export function struck(planHash: Hash): Statement {
  return statement(
    `SELECT ${FRAGMENT_COLUMNS} FROM struck WHERE plan_hash = ?
    ORDER BY fragment_index`,
    planHash,
  );
}

/** Of `Care.removeStruck`. Their plans go by a trigger. */
export function removeStruck(keys: readonly FragmentKey[]): Statements {
  return listStatements(
    `DELETE FROM struck WHERE (plan_hash, fragment_index) IN (
      SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?))`,
    keys.map(({ planHash, index }) => [planHash, index]),
  );
}

/** The last result has the count of those forgotten. Their plans go by a trigger. */
export function expireStruck(beforeMs: number): Statements {
  return [
    statement(
      "DELETE FROM struck WHERE struck_at_ms < ?",
      Math.ceil(beforeMs),
    ),
    statement("SELECT changes()"),
  ];
}
