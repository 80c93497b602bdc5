/** The statements of `Care`. Named after the method they serve; a list is one transaction. */
import type { Hash, NodeId } from "@tesseras/core";
import { TOMBSTONES_MAX } from "@tesseras/core/limits";
import type {
  AuditRow,
  CoverageRow,
  InstitutionalMark,
  PlacedPage,
  PlacementKey,
  PlacementMark,
  PlacementRow,
  Silence,
  TombstoneKey,
  TombstoneRow,
  WatchRow,
} from "./care_rows.ts";
import {
  AUDIT_COLUMNS,
  COVERAGE_COLUMNS,
  LEDGER_COLUMNS,
  PLACEMENT_COLUMNS,
  TOMBSTONE_COLUMNS,
  WATCH_COLUMNS,
} from "./libsql_care_columns.ts";
import { jsonList, listStatements, statement } from "./libsql_columns.ts";
import { NOTHING, PLAN_IS_IDLE, type Statements } from "./libsql_statements.ts";
import type { Statement } from "./sql.ts";

/** Placements of a list of their keys, with its columns named. */
const PLACEMENT_KEYS =
  "SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2) FROM json_each(?)";

/** Of `Care.putPlacements`. */
export function putPlacements(rows: readonly PlacementRow[]): Statements {
  return listStatements(
    `INSERT INTO placement (${PLACEMENT_COLUMNS})
    SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2), unhex(value ->> 3),
      value ->> 4, value ->> 5, value ->> 6, value ->> 7,
      value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12
    FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET record = excluded.record, bytes = excluded.bytes,
      acked_at_ms = excluded.acked_at_ms, last_seen_ms = excluded.last_seen_ms,
      lost_at_ms = excluded.lost_at_ms, silent_since_ms = excluded.silent_since_ms,
      tried_at_ms = excluded.tried_at_ms, try_count = excluded.try_count,
      evasion_count = excluded.evasion_count, proved_since_ms = excluded.proved_since_ms`,
    rows.map((row) => [
      row.planHash,
      row.index,
      row.holder,
      row.record,
      row.bytes,
      row.ackedAtMs,
      row.lastSeenMs,
      row.lostAtMs,
      ...silenceOf(row.silence),
      row.provedSinceMs,
    ]),
  );
}

/** The columns of a silence. */
function silenceOf(
  silence: Silence | undefined,
): readonly (number | undefined)[] {
  return [
    silence?.sinceMs,
    silence?.triedAtMs,
    silence?.tryCount,
    silence?.evasionCount,
  ];
}

/** Of `Care.placements`. */
export function placements(planHash: Hash): Statement {
  return statement(
    `SELECT ${PLACEMENT_COLUMNS} FROM placement WHERE plan_hash = ?
    ORDER BY fragment_index, holder`,
    planHash,
  );
}

/** Of `Care.markPlacements`: a statement for each, because a later mark of one placement counts after an earlier one. */
export function markPlacements(marks: readonly PlacementMark[]): Statements {
  return marks.map((mark) => {
    const { change, values } = changeOf(mark);
    return statement(
      `UPDATE placement SET ${change}
      WHERE plan_hash = ? AND fragment_index = ? AND holder = ?`,
      ...values,
      mark.planHash,
      mark.index,
      mark.holder,
    );
  });
}

function changeOf(
  mark: PlacementMark,
): {
  readonly change: string;
  readonly values: readonly (number | undefined)[];
} {
  const silence =
    "silent_since_ms = ?, tried_at_ms = ?, try_count = ?, evasion_count = ?";
  if ("silence" in mark) {
    return { change: silence, values: silenceOf(mark.silence) };
  }
  const [change, atMs] = "seenAtMs" in mark
    ? ["last_seen_ms = max(last_seen_ms, ?), lost_at_ms = NULL", mark.seenAtMs]
    : ["lost_at_ms = coalesce(lost_at_ms, ?)", mark.lostAtMs];
  return {
    change: `${change}, ${silence}`,
    values: [atMs, ...silenceOf(undefined)],
  };
}

/** Of `Care.removePlacements`. */
export function removePlacements(keys: readonly PlacementKey[]): Statements {
  return listStatements(
    `DELETE FROM placement WHERE (plan_hash, fragment_index, holder) IN (${PLACEMENT_KEYS})`,
    keys.map(({ planHash, index, holder }) => [planHash, index, holder]),
  );
}

/** The last result has the count of those removed. */
export function expirePlacements(lostBeforeMs: number): Statements {
  return [
    statement(
      "DELETE FROM placement WHERE lost_at_ms < ?",
      Math.ceil(lostBeforeMs),
    ),
    statement("SELECT changes()"),
  ];
}

/** Of `Care.placedPlans`. */
export function placedPlans({ after, limit, holder }: PlacedPage): Statement {
  return statement(
    `SELECT DISTINCT plan_hash FROM placement
    WHERE plan_hash > ?1 ${
      holder ? "AND holder = ?3 AND lost_at_ms IS NULL" : ""
    } ORDER BY plan_hash LIMIT ?2`,
    after ?? NOTHING,
    limit,
    ...holder ? [holder] : [],
  );
}

/** Of `Care.putAudits`. */
export function putAudits(rows: readonly AuditRow[]): Statements {
  return listStatements(
    `INSERT INTO audit (${AUDIT_COLUMNS})
    SELECT plan_hash, fragment_index, holder, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?) JOIN placement ON plan_hash = unhex(value ->> 0)
      AND fragment_index = value ->> 1 AND holder = unhex(value ->> 2)
    WHERE true
    ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, outcome = excluded.outcome,
      detail = excluded.detail`,
    rows.map((row) => [
      row.planHash,
      row.index,
      row.holder,
      row.atMs,
      row.outcome,
      row.detail,
    ]),
  );
}

/** Of `Care.audits`. */
export function audits(planHash: Hash): Statement {
  return statement(
    `SELECT ${AUDIT_COLUMNS} FROM audit WHERE plan_hash = ?
    ORDER BY fragment_index, holder`,
    planHash,
  );
}

/** Of `Care.putWatch`. */
export function putWatch(row: WatchRow): Statements {
  return [
    statement(
      `INSERT INTO watch (${WATCH_COLUMNS})
      SELECT hash, ?2, ?3, ?4, ?5, ?6, ?7 FROM plan WHERE hash = ?1
      ON CONFLICT DO UPDATE SET due_at_ms = excluded.due_at_ms, state = excluded.state,
        since_ms = excluded.since_ms, attempts = excluded.attempts, detail = excluded.detail,
        watched_since_ms = excluded.watched_since_ms`,
      row.planHash,
      row.dueAtMs,
      row.state,
      row.sinceMs,
      row.attempts,
      row.detail,
      row.watchedSinceMs,
    ),
  ];
}

/** Of `Care.watch`. */
export function watch(planHash: Hash): Statement {
  return statement(
    `SELECT ${WATCH_COLUMNS} FROM watch WHERE plan_hash = ?`,
    planHash,
  );
}

/** Of `Care.dueWatches`. */
export function dueWatches(atMs: number, limit: number): Statement {
  return statement(
    `SELECT ${WATCH_COLUMNS} FROM watch WHERE due_at_ms <= ?
    ORDER BY due_at_ms, plan_hash LIMIT ?`,
    Math.floor(atMs),
    limit,
  );
}

/** Of `Care.ledger`. */
export function ledger(peer: NodeId): Statement {
  return statement(`SELECT ${LEDGER_COLUMNS} FROM ledger WHERE peer = ?`, peer);
}

/** Of `Care.ledgers`. */
export function ledgers(limit: number): Statement {
  return statement(
    `SELECT ${LEDGER_COLUMNS} FROM ledger
    ORDER BY we_keep_bytes - they_keep_bytes DESC, peer LIMIT ?`,
    limit,
  );
}

/** Of `Care.markInstitutional`. An account that is even and marked no longer is closed by its trigger. */
export function markInstitutional(mark: InstitutionalMark): Statements {
  return mark.isInstitutional
    ? [
      statement(
        `INSERT INTO ledger (${LEDGER_COLUMNS}) VALUES (?, 0, 0, 1, ?)
        ON CONFLICT DO UPDATE SET institutional = 1`,
        mark.peer,
        mark.atMs,
      ),
    ]
    : [
      statement(
        "UPDATE ledger SET institutional = 0 WHERE peer = ?",
        mark.peer,
      ),
    ];
}

/** Of `Care.putTombstones`. */
export function putTombstones(rows: readonly TombstoneRow[]): Statements {
  return [
    ...listStatements(
      `INSERT INTO tombstone (${TOMBSTONE_COLUMNS})
      SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3,
        value ->> 4, value ->> 5
      FROM json_each(?) WHERE true
      ON CONFLICT DO UPDATE SET ours = max(ours, excluded.ours),
        bytes = iif(excluded.created_at_ms < created_at_ms, bytes, excluded.bytes),
        expires_at_ms = iif(excluded.created_at_ms < created_at_ms, expires_at_ms, excluded.expires_at_ms),
        created_at_ms = max(created_at_ms, excluded.created_at_ms)`,
      rows.map((row) => [
        row.tesseraId,
        row.creator,
        row.bytes,
        row.createdAtMs,
        row.expiresAtMs,
        row.isOurs ? 1 : 0,
      ]),
    ),
    statement(
      `DELETE FROM tombstone WHERE (tessera_id, creator) IN (
        SELECT tessera_id, creator FROM tombstone WHERE ours = 0
        ORDER BY expires_at_ms, tessera_id, creator
        LIMIT max(0, (SELECT count(*) FROM tombstone WHERE ours = 0) - ?))`,
      TOMBSTONES_MAX,
    ),
  ];
}

/** The first result has the blobs nobody refers to any more, the third the count of fragments. */
export function forget(
  row: TombstoneRow,
  plans: readonly Hash[],
): Statements {
  const list = jsonList(plans.map((plan) => [plan]));
  const isOfThem = `owner IS NOT NULL
    AND plan_hash IN (SELECT unhex(value ->> 0) FROM json_each(?1))`;
  return [
    statement(
      `WITH mine (blob) AS (SELECT DISTINCT blob FROM fragment WHERE ${isOfThem})
      SELECT blob FROM mine WHERE
        NOT EXISTS (SELECT 1 FROM tessera WHERE manifest = mine.blob)
        AND NOT EXISTS (SELECT 1 FROM file WHERE hash = mine.blob)
        AND NOT EXISTS (SELECT 1 FROM fragment WHERE blob = mine.blob AND NOT (${isOfThem}))
      ORDER BY blob`,
      list,
    ),
    statement(`DELETE FROM fragment WHERE ${isOfThem}`, list),
    statement("SELECT changes()"),
    statement(
      "DELETE FROM struck WHERE plan_hash IN (SELECT unhex(value ->> 0) FROM json_each(?1))",
      list,
    ),
    statement(
      `DELETE FROM plan
      WHERE hash IN (SELECT unhex(value ->> 0) FROM json_each(?1)) AND ${PLAN_IS_IDLE}`,
      list,
    ),
    ...putTombstones([row]),
  ];
}

/** Of `Care.tombstone`. */
export function tombstone(key: TombstoneKey): Statement {
  return statement(
    `SELECT ${TOMBSTONE_COLUMNS} FROM tombstone WHERE tessera_id = ? AND creator = ?`,
    key.tesseraId,
    key.creator,
  );
}

/** Of `Care.ownTombstones`. */
export function ownTombstones(): Statement {
  return statement(
    `SELECT ${TOMBSTONE_COLUMNS} FROM tombstone WHERE ours = 1
    ORDER BY tessera_id, creator`,
  );
}

/** The last result has the count of those removed. */
export function expireTombstones(nowMs: number): Statements {
  return [
    statement(
      "DELETE FROM tombstone WHERE expires_at_ms <= ?",
      Math.floor(nowMs),
    ),
    statement("SELECT changes()"),
  ];
}

/** Of `Care.putCoverage`. */
export function putCoverage(rows: readonly CoverageRow[]): Statements {
  return listStatements(
    `INSERT INTO coverage (${COVERAGE_COLUMNS})
    SELECT tessera_id, creator, unhex(value ->> 2), unhex(value ->> 3), value ->> 4, value ->> 5
    FROM json_each(?) JOIN tombstone ON tessera_id = unhex(value ->> 0)
      AND creator = unhex(value ->> 1)
    WHERE true
    ON CONFLICT DO UPDATE SET record = excluded.record, told_at_ms = excluded.told_at_ms,
      confirmed_at_ms = excluded.confirmed_at_ms`,
    rows.map((row) => [
      row.tesseraId,
      row.creator,
      row.holder,
      row.record,
      row.toldAtMs,
      row.confirmedAtMs,
    ]),
  );
}

/** Of `Care.coverage`. */
export function coverage(key: TombstoneKey): Statement {
  return statement(
    `SELECT ${COVERAGE_COLUMNS} FROM coverage WHERE tessera_id = ? AND creator = ?
    ORDER BY holder`,
    key.tesseraId,
    key.creator,
  );
}
