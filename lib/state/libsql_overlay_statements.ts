/** The statements for what a node knows of others: pointers, peers, small values. Named after the method they serve. */
import type { NodeId, TesseraId } from "@tesseras/core";
import {
  listStatements,
  PEER_COLUMNS,
  POINTER_COLUMNS,
  statement,
} from "./libsql_columns.ts";
import type { Statement } from "./sql.ts";
import { NOTHING, type Statements } from "./libsql_statements.ts";
import type { PeerRow, PointerKey, PointerRow } from "./rows.ts";

/** Of `State.putPointers`. */
export function putPointers(rows: readonly PointerRow[]): Statements {
  return listStatements(
    `INSERT INTO pointer (${POINTER_COLUMNS})
    SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3),
      unhex(value ->> 4), value ->> 5, value ->> 6, nullif(value ->> 7, '')
    FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET record = excluded.record, holder_record = excluded.holder_record,
      sequence = excluded.sequence, expires_at_ms = excluded.expires_at_ms,
      subnet = excluded.subnet
    WHERE excluded.sequence >= sequence`,
    rows.map((row) => [
      row.tesseraId,
      row.holder,
      row.planHash,
      row.record,
      row.holderRecord,
      row.sequence,
      row.expiresAtMs,
      row.subnet ?? "",
    ]),
  );
}

/** Of `State.pointers`. */
export function pointers(tesseraId: TesseraId): Statement {
  return statement(
    `SELECT ${POINTER_COLUMNS} FROM pointer WHERE tessera_id = ?
    ORDER BY holder, plan_hash`,
    tesseraId,
  );
}

/** Of `State.allPointers`. */
export function allPointers(
  after: PointerKey | undefined,
  limit: number,
): Statement {
  return statement(
    `SELECT ${POINTER_COLUMNS} FROM pointer
    WHERE (tessera_id, holder, plan_hash) > (?, ?, ?)
    ORDER BY tessera_id, holder, plan_hash LIMIT ?`,
    after?.tesseraId ?? NOTHING,
    after?.holder ?? NOTHING,
    after?.planHash ?? NOTHING,
    limit,
  );
}

/** The last result has the count of those removed. */
export function expirePointers(nowMs: number): Statements {
  return [
    statement(
      "DELETE FROM pointer WHERE expires_at_ms <= ?",
      Math.floor(nowMs),
    ),
    statement("SELECT changes()"),
  ];
}

/** Of `State.removePointers`. */
export function removePointers(keys: readonly PointerKey[]): Statements {
  return listStatements(
    `DELETE FROM pointer WHERE (tessera_id, holder, plan_hash) IN (
      SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2)
      FROM json_each(?))`,
    keys.map((key) => [key.tesseraId, key.holder, key.planHash]),
  );
}

/** Of `State.pointerCount`. */
export function pointerCount(): Statement {
  return statement("SELECT count(*) FROM pointer");
}

/** Of `State.putPeers`. */
export function putPeers(rows: readonly PeerRow[]): Statements {
  return listStatements(
    `INSERT INTO peer (${PEER_COLUMNS})
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2
    FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET record = excluded.record, last_seen_ms = excluded.last_seen_ms`,
    rows.map((row) => [row.id, row.record, row.lastSeenMs]),
  );
}

/** Of `State.removePeers`. */
export function removePeers(ids: readonly NodeId[]): Statements {
  return listStatements(
    "DELETE FROM peer WHERE id IN (SELECT unhex(value ->> 0) FROM json_each(?))",
    ids.map((id) => [id]),
  );
}

/** Of `State.peers`. */
export function peers(limit: number): Statement {
  return statement(
    `SELECT ${PEER_COLUMNS} FROM peer ORDER BY last_seen_ms DESC, id LIMIT ?`,
    limit,
  );
}

/** Of `State.value`. */
export function value(name: string): Statement {
  return statement("SELECT bytes FROM value WHERE name = ?", name);
}

/** Of `State.putValue`. */
export function putValue(name: string, bytes: Uint8Array): Statements {
  return [
    statement(
      `INSERT INTO value (name, bytes) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET bytes = excluded.bytes`,
      name,
      bytes,
    ),
  ];
}
