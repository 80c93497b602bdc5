/** Between the rows of `Care` and their columns. */
import { hash, nodeId, tesseraId } from "@tesseras/core";
import {
  AUDIT_OUTCOMES,
  type AuditRow,
  type CoverageRow,
  type LedgerRow,
  type PlacementRow,
  type TombstoneRow,
  WATCH_STATES,
  type WatchRow,
} from "./care_rows.ts";
import {
  bytesAt,
  flagAt,
  numberAt,
  optionalNumberAt,
  textAt,
  wordAt,
} from "./libsql_columns.ts";
import type { SqlRow } from "./sql.ts";

/** What {@link readPlacement} takes, in its order. */
export const PLACEMENT_COLUMNS =
  "plan_hash, fragment_index, holder, record, bytes, acked_at_ms, last_seen_ms, lost_at_ms, silent_since_ms, tried_at_ms, try_count, evasion_count, proved_since_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readPlacement(row: SqlRow): PlacementRow {
  return {
    planHash: hash(bytesAt(row, 0)),
    index: numberAt(row, 1),
    holder: nodeId(bytesAt(row, 2)),
    record: bytesAt(row, 3),
    bytes: numberAt(row, 4),
    ackedAtMs: numberAt(row, 5),
    lastSeenMs: numberAt(row, 6),
    lostAtMs: optionalNumberAt(row, 7),
    ...readSilence(row, 8),
    ...readOptional(row, 12, "provedSinceMs"),
  };
}

/** Four columns from one on, or nothing where the first is empty. */
function readSilence(row: SqlRow, at: number): Pick<PlacementRow, "silence"> {
  const sinceMs = optionalNumberAt(row, at);
  if (sinceMs === undefined) return {};
  return {
    silence: {
      sinceMs,
      triedAtMs: numberAt(row, at + 1),
      tryCount: numberAt(row, at + 2),
      evasionCount: numberAt(row, at + 3),
    },
  };
}

/** A number under its name, or nothing where the column is empty. */
function readOptional<N extends string>(
  row: SqlRow,
  at: number,
  name: N,
): { readonly [name in N]?: number } {
  const value = optionalNumberAt(row, at);
  if (value === undefined) return {};
  return { [name]: value } as { readonly [name in N]: number };
}

/** What {@link readAudit} takes, in its order. */
export const AUDIT_COLUMNS =
  "plan_hash, fragment_index, holder, at_ms, outcome, detail";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readAudit(row: SqlRow): AuditRow {
  return {
    planHash: hash(bytesAt(row, 0)),
    index: numberAt(row, 1),
    holder: nodeId(bytesAt(row, 2)),
    atMs: numberAt(row, 3),
    outcome: wordAt(row, 4, AUDIT_OUTCOMES),
    detail: textAt(row, 5),
  };
}

/** What {@link readWatch} takes, in its order. */
export const WATCH_COLUMNS =
  "plan_hash, due_at_ms, state, since_ms, attempts, detail, watched_since_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readWatch(row: SqlRow): WatchRow {
  return {
    planHash: hash(bytesAt(row, 0)),
    dueAtMs: numberAt(row, 1),
    state: wordAt(row, 2, WATCH_STATES),
    sinceMs: numberAt(row, 3),
    attempts: numberAt(row, 4),
    detail: textAt(row, 5),
    ...readOptional(row, 6, "watchedSinceMs"),
  };
}

/** What {@link readLedger} takes, in its order. */
export const LEDGER_COLUMNS =
  "peer, we_keep_bytes, they_keep_bytes, institutional, first_seen_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readLedger(row: SqlRow): LedgerRow {
  return {
    peer: nodeId(bytesAt(row, 0)),
    weKeepBytes: numberAt(row, 1),
    theyKeepBytes: numberAt(row, 2),
    isInstitutional: flagAt(row, 3),
    firstSeenMs: numberAt(row, 4),
  };
}

/** What {@link readTombstone} takes, in its order. */
export const TOMBSTONE_COLUMNS =
  "tessera_id, creator, bytes, created_at_ms, expires_at_ms, ours";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readTombstone(row: SqlRow): TombstoneRow {
  return {
    tesseraId: tesseraId(bytesAt(row, 0)),
    creator: hash(bytesAt(row, 1)),
    bytes: bytesAt(row, 2),
    createdAtMs: numberAt(row, 3),
    expiresAtMs: numberAt(row, 4),
    isOurs: flagAt(row, 5),
  };
}

/** What {@link readCoverage} takes, in its order. */
export const COVERAGE_COLUMNS =
  "tessera_id, creator, holder, record, told_at_ms, confirmed_at_ms";

/** The row of those columns. @throws `corrupt` when one holds something else */
export function readCoverage(row: SqlRow): CoverageRow {
  return {
    tesseraId: tesseraId(bytesAt(row, 0)),
    creator: hash(bytesAt(row, 1)),
    holder: nodeId(bytesAt(row, 2)),
    record: bytesAt(row, 3),
    toldAtMs: optionalNumberAt(row, 4),
    confirmedAtMs: optionalNumberAt(row, 5),
  };
}
