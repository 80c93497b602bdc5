/** The statements for what is kept: tesseras, plans, fragments. Named after the method they serve; a list is one transaction. */
import {
  type Hash,
  type NodeId,
  parseHash,
  type TesseraId,
} from "@tesseras/core";
import {
  FILE_COLUMNS,
  FRAGMENT_COLUMNS,
  HOLDING_COLUMNS,
  jsonList,
  PLAN_COLUMNS,
  PUBLICATION_COLUMNS,
  statement,
  TESSERA_COLUMNS,
} from "./libsql_columns.ts";
import type { Statement } from "./sql.ts";
import {
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  NOBODY,
  type PlanRow,
  prefixRange,
  type PublicationRow,
  type TesseraRow,
} from "./rows.ts";

/** Statements of one transaction. */
export type Statements = readonly Statement[];

/** Comes before every key. */
export const NOTHING = new Uint8Array(0);

/** How many rows refer to the blob ?1. */
export const REFERENCE_COUNT =
  `(SELECT count(*) FROM tessera WHERE manifest = ?1)
  + (SELECT count(*) FROM file WHERE hash = ?1)
  + (SELECT count(*) FROM fragment WHERE blob = ?1)
  + (SELECT count(*) FROM plan WHERE hash = ?1)`;

/** A plan that neither a fragment, one to be made anew, a tessera of ours nor a publication needs. */
export const PLAN_IS_IDLE = `
  NOT EXISTS (SELECT 1 FROM fragment WHERE plan_hash = plan.hash)
  AND NOT EXISTS (SELECT 1 FROM struck WHERE plan_hash = plan.hash)
  AND NOT EXISTS (SELECT 1 FROM tessera WHERE id = plan.tessera_id)
  AND NOT EXISTS (SELECT 1 FROM publication WHERE tessera_id = plan.tessera_id)`;

/** The first result has a row when the tessera was new. */
export function addTessera(
  row: TesseraRow,
  files: readonly FileRow[],
): Statements {
  return [
    statement(
      `INSERT INTO tessera (${TESSERA_COLUMNS})
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1`,
      row.id,
      row.createdAtMs,
      row.addedAtMs,
      row.title,
      row.visibility,
      row.memoryCount,
      row.bytes,
      row.packBytes,
      row.origin,
      row.manifest,
    ),
    // changes() is 0 when the tessera was known: it keeps the files it had.
    statement(
      `INSERT INTO file (tessera_id, position, ${FILE_COLUMNS})
      SELECT ?, value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3
      FROM json_each(?) WHERE changes() = 1`,
      row.id,
      jsonList(files.map((file, at) => [at, file.path, file.hash, file.bytes])),
    ),
  ];
}

/** Of `State.tessera`. */
export function tessera(id: TesseraId): Statement {
  return statement(`SELECT ${TESSERA_COLUMNS} FROM tessera WHERE id = ?`, id);
}

/** Of `State.tesseras`. */
export function tesseras(): Statement {
  return statement(
    `SELECT ${TESSERA_COLUMNS} FROM tessera ORDER BY added_at_ms DESC, id`,
  );
}

/** Of `State.tesserasByPrefix`. */
export function tesserasByPrefix(hexPrefix: string, limit: number): Statement {
  const { first, last } = prefixRange(hexPrefix);
  return statement(
    "SELECT id FROM tessera WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
    parseHash(first),
    parseHash(last),
    limit,
  );
}

/** Of `State.filesOf`. */
export function filesOf(id: TesseraId): Statement {
  return statement(
    `SELECT ${FILE_COLUMNS} FROM file WHERE tessera_id = ? ORDER BY position`,
    id,
  );
}

/** The first result has the blobs that only this tessera refers to. */
export function removeTessera(id: TesseraId): Statements {
  return [
    statement(
      `WITH mine (hash) AS (
        SELECT manifest FROM tessera WHERE id = ?1
        UNION SELECT hash FROM file WHERE tessera_id = ?1
        UNION SELECT blob FROM fragment WHERE tessera_id = ?1 AND owner IS NULL
      )
      SELECT hash FROM mine WHERE
        NOT EXISTS (SELECT 1 FROM tessera WHERE manifest = mine.hash AND id <> ?1)
        AND NOT EXISTS (SELECT 1 FROM file WHERE hash = mine.hash AND tessera_id <> ?1)
        AND NOT EXISTS (SELECT 1 FROM fragment WHERE blob = mine.hash
          AND (tessera_id <> ?1 OR owner IS NOT NULL))
      ORDER BY hash`,
      id,
    ),
    statement(
      `DELETE FROM placement
      WHERE plan_hash IN (SELECT hash FROM plan WHERE tessera_id = ?)`,
      id,
    ),
    statement("DELETE FROM publication WHERE tessera_id = ?", id),
    statement(
      "DELETE FROM fragment WHERE tessera_id = ? AND owner IS NULL",
      id,
    ),
    // Its files go with it (ON DELETE CASCADE).
    statement("DELETE FROM tessera WHERE id = ?", id),
    statement(`DELETE FROM plan WHERE tessera_id = ? AND ${PLAN_IS_IDLE}`, id),
  ];
}

/** Of `State.references`. */
export function references(blob: Hash): Statement {
  return statement(`SELECT ${REFERENCE_COUNT}`, blob);
}

/** Of `State.putPlan`. */
export function putPlan(row: PlanRow): Statements {
  return [
    statement(
      `INSERT INTO plan (${PLAN_COLUMNS}) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
      row.hash,
      row.tesseraId,
      row.bytes,
    ),
  ];
}

/** Of `State.plan`. */
export function plan(hash: Hash): Statement {
  return statement(`SELECT ${PLAN_COLUMNS} FROM plan WHERE hash = ?`, hash);
}

/** Of `State.plansOf`. */
export function plansOf(tesseraId: TesseraId): Statement {
  return statement(
    `SELECT ${PLAN_COLUMNS} FROM plan WHERE tessera_id = ? ORDER BY hash`,
    tesseraId,
  );
}

/** The first result has a row when the plan is kept, the second when the fragment was new. */
export function putFragment(row: FragmentRow): Statements {
  return [
    statement("SELECT 1 FROM plan WHERE hash = ?", row.planHash),
    statement(
      `INSERT INTO fragment (${FRAGMENT_COLUMNS})
      SELECT hash, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM plan WHERE hash = ?1
      ON CONFLICT DO NOTHING RETURNING 1`,
      row.planHash,
      row.index,
      row.tesseraId,
      row.blob,
      row.bytes,
      row.owner,
      row.storedAtMs,
      row.subnet,
      row.isRepair ? 1 : 0,
    ),
  ];
}

/** The last result has a row when the fragment was new. */
export function keepFragment(plan: PlanRow, row: FragmentRow): Statements {
  // Whether the plan is kept need not be asked.
  return [...putPlan(plan), ...putFragment(row).slice(-1)];
}

/** The last result has a row when the fragment was for nobody else, and is for its sender now. */
export function adoptFragment(row: FragmentRow): Statements {
  return [
    statement(
      `DELETE FROM fragment WHERE plan_hash = ? AND fragment_index = ?
      AND (owner IS NULL OR owner = ?)`,
      row.planHash,
      row.index,
      NOBODY,
    ),
    ...putFragment(row).slice(-1),
  ];
}

/** Of `State.fragment`. */
export function fragment(key: FragmentKey): Statement {
  return statement(
    `SELECT ${FRAGMENT_COLUMNS} FROM fragment
    WHERE plan_hash = ? AND fragment_index = ?`,
    key.planHash,
    key.index,
  );
}

/** Of `State.fragmentsOf`. */
export function fragmentsOf(tesseraId: TesseraId): Statement {
  return statement(
    `SELECT ${FRAGMENT_COLUMNS} FROM fragment WHERE tessera_id = ?
    ORDER BY plan_hash, fragment_index`,
    tesseraId,
  );
}

/** Of `State.fragmentsOfPlan`. */
export function fragmentsOfPlan(planHash: Hash): Statement {
  return statement(
    `SELECT ${FRAGMENT_COLUMNS} FROM fragment WHERE plan_hash = ?
    ORDER BY fragment_index`,
    planHash,
  );
}

/** Of `State.fragments`. */
export function fragments(
  after: FragmentKey | undefined,
  limit: number,
): Statement {
  return statement(
    `SELECT ${FRAGMENT_COLUMNS} FROM fragment
    WHERE (plan_hash, fragment_index) > (?, ?)
    ORDER BY plan_hash, fragment_index LIMIT ?`,
    after?.planHash ?? NOTHING,
    after?.index ?? 0,
    limit,
  );
}

/** Of `State.holdings`. */
export function holdings(
  after: Holding | undefined,
  limit: number,
): Statement {
  return statement(
    `SELECT DISTINCT ${HOLDING_COLUMNS} FROM fragment
    WHERE (tessera_id, plan_hash) > (?, ?) AND owner IS NOT NULL
    ORDER BY tessera_id, plan_hash LIMIT ?`,
    after?.tesseraId ?? NOTHING,
    after?.planHash ?? NOTHING,
    limit,
  );
}

/** The first result has the fragment's blob when nothing else refers to it. */
export function removeFragment(key: FragmentKey): Statements {
  return [
    statement(
      `SELECT blob FROM fragment AS mine
      WHERE plan_hash = ? AND fragment_index = ?
        AND (${REFERENCE_COUNT.replaceAll("?1", "mine.blob")}) = 1`,
      key.planHash,
      key.index,
    ),
    statement(
      "DELETE FROM fragment WHERE plan_hash = ? AND fragment_index = ?",
      key.planHash,
      key.index,
    ),
    statement(
      `DELETE FROM plan WHERE hash = ? AND ${PLAN_IS_IDLE}`,
      key.planHash,
    ),
  ];
}

/** Of `State.storedBytes`. */
export function storedBytes(whose: NodeId | string | undefined): Statement {
  const sum = "SELECT coalesce(sum(bytes), 0) FROM share WHERE";
  return whose === undefined
    ? statement(`${sum} typeof(whose) = 'blob'`)
    : statement(`${sum} whose = ?`, whose);
}

/** Of `State.putPublication`. */
export function putPublication(row: PublicationRow): Statements {
  return [
    statement(
      `INSERT INTO publication (${PUBLICATION_COLUMNS}) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET plan_hash = excluded.plan_hash,
        state = excluded.state, updated_at_ms = excluded.updated_at_ms`,
      row.tesseraId,
      row.planHash,
      row.state,
      row.updatedAtMs,
    ),
  ];
}

/** Of `State.publication`. */
export function publication(tesseraId: TesseraId): Statement {
  return statement(
    `SELECT ${PUBLICATION_COLUMNS} FROM publication WHERE tessera_id = ?`,
    tesseraId,
  );
}

/** Of `State.publications`. */
export function publications(): Statement {
  return statement(
    `SELECT ${PUBLICATION_COLUMNS} FROM publication ORDER BY tessera_id`,
  );
}
