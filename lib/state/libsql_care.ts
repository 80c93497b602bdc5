/** `Care` in libSQL: rows and accounts in the database of the state. */
import { type Hash, hash, type NodeId } from "@tesseras/core";
import type { Care } from "./care.ts";
import {
  type AuditRow,
  checkAudit,
  checkCoverage,
  checkMark,
  checkPlacement,
  checkTombstone,
  checkWatch,
  type CoverageRow,
  type Forgotten,
  type InstitutionalMark,
  type LedgerRow,
  type PlacedPage,
  type PlacementKey,
  type PlacementMark,
  type PlacementRow,
  type TombstoneKey,
  type TombstoneRow,
  type WatchRow,
} from "./care_rows.ts";
import {
  readAudit,
  readCoverage,
  readLedger,
  readPlacement,
  readTombstone,
  readWatch,
} from "./libsql_care_columns.ts";
import * as care from "./libsql_care_statements.ts";
import * as struck from "./libsql_struck_statements.ts";
import { bytesAt, numberAt, readFragment } from "./libsql_columns.ts";
import type { Queries } from "./libsql_queries.ts";
import { checkWhole, type FragmentKey, type FragmentRow } from "./rows.ts";
import type { SqlResults, SqlRow } from "./sql.ts";

/** The care of one database. */
export class LibsqlCare implements Care {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  async putPlacements(
    rows: readonly PlacementRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkPlacement(row);
    await this.#queries.write(care.putPlacements(rows), signal);
  }

  placements(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly PlacementRow[]> {
    return this.#queries.all(readPlacement, care.placements(planHash), signal);
  }

  async markPlacements(
    marks: readonly PlacementMark[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const mark of marks) checkMark(mark);
    await this.#queries.write(care.markPlacements(marks), signal);
  }

  async removePlacements(
    keys: readonly PlacementKey[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#queries.write(care.removePlacements(keys), signal);
  }

  async expirePlacements(
    lostBeforeMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const expire = care.expirePlacements(lostBeforeMs);
    return lastNumber(await this.#queries.write(expire, signal));
  }

  placedPlans(page: PlacedPage, signal: AbortSignal): Promise<readonly Hash[]> {
    return this.#queries.all(readHash, care.placedPlans(page), signal);
  }

  async putAudits(
    rows: readonly AuditRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkAudit(row);
    await this.#queries.write(care.putAudits(rows), signal);
  }

  audits(planHash: Hash, signal: AbortSignal): Promise<readonly AuditRow[]> {
    return this.#queries.all(readAudit, care.audits(planHash), signal);
  }

  async putWatch(row: WatchRow, signal: AbortSignal): Promise<void> {
    checkWatch(row);
    await this.#queries.write(care.putWatch(row), signal);
  }

  watch(planHash: Hash, signal: AbortSignal): Promise<WatchRow | undefined> {
    return this.#queries.first(readWatch, care.watch(planHash), signal);
  }

  dueWatches(
    atMs: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly WatchRow[]> {
    return this.#queries.all(readWatch, care.dueWatches(atMs, limit), signal);
  }

  async strikeOut(
    key: FragmentKey,
    atMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    checkWhole(atMs, "time of the loss");
    await this.#queries.write(struck.strikeOut(key, atMs), signal);
  }

  struck(planHash: Hash, signal: AbortSignal): Promise<readonly FragmentRow[]> {
    return this.#queries.all(readFragment, struck.struck(planHash), signal);
  }

  async removeStruck(
    keys: readonly FragmentKey[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#queries.write(struck.removeStruck(keys), signal);
  }

  async expireStruck(beforeMs: number, signal: AbortSignal): Promise<number> {
    const expire = struck.expireStruck(beforeMs);
    return lastNumber(await this.#queries.write(expire, signal));
  }

  ledger(peer: NodeId, signal: AbortSignal): Promise<LedgerRow | undefined> {
    return this.#queries.first(readLedger, care.ledger(peer), signal);
  }

  ledgers(limit: number, signal: AbortSignal): Promise<readonly LedgerRow[]> {
    return this.#queries.all(readLedger, care.ledgers(limit), signal);
  }

  async markInstitutional(
    mark: InstitutionalMark,
    signal: AbortSignal,
  ): Promise<void> {
    checkWhole(mark.atMs, "time of the mark");
    await this.#queries.write(care.markInstitutional(mark), signal);
  }

  async putTombstones(
    rows: readonly TombstoneRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkTombstone(row);
    await this.#queries.write(care.putTombstones(rows), signal);
  }

  async forget(
    row: TombstoneRow,
    plans: readonly Hash[],
    signal: AbortSignal,
  ): Promise<Forgotten> {
    checkTombstone(row);
    const results = await this.#queries.write(care.forget(row, plans), signal);
    const [blobs = [], , counts = []] = results;
    return {
      fragmentCount: numberAt(counts[0] ?? [], 0),
      blobs: blobs.map(readHash),
    };
  }

  tombstone(
    key: TombstoneKey,
    signal: AbortSignal,
  ): Promise<TombstoneRow | undefined> {
    return this.#queries.first(readTombstone, care.tombstone(key), signal);
  }

  ownTombstones(signal: AbortSignal): Promise<readonly TombstoneRow[]> {
    return this.#queries.all(readTombstone, care.ownTombstones(), signal);
  }

  async expireTombstones(nowMs: number, signal: AbortSignal): Promise<number> {
    const expire = care.expireTombstones(nowMs);
    return lastNumber(await this.#queries.write(expire, signal));
  }

  async putCoverage(
    rows: readonly CoverageRow[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of rows) checkCoverage(row);
    await this.#queries.write(care.putCoverage(rows), signal);
  }

  coverage(
    key: TombstoneKey,
    signal: AbortSignal,
  ): Promise<readonly CoverageRow[]> {
    return this.#queries.all(readCoverage, care.coverage(key), signal);
  }
}

function readHash(row: SqlRow): Hash {
  return hash(bytesAt(row, 0));
}

function lastNumber(results: SqlResults): number {
  return numberAt(results.at(-1)?.[0] ?? [], 0);
}
