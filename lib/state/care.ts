/** The part of the state that keeps tesseras alive: who keeps what, whether it was proved, what is to be repaired, who owes whom. */
import type { Hash, NodeId } from "@tesseras/core";
import type {
  AuditRow,
  CoverageRow,
  Forgotten,
  InstitutionalMark,
  LedgerRow,
  PlacedPage,
  PlacementKey,
  PlacementMark,
  PlacementRow,
  TombstoneKey,
  TombstoneRow,
  WatchRow,
} from "./care_rows.ts";
import type { FragmentKey, FragmentRow } from "./rows.ts";

/** As `State`, whose part it is: each method is one transaction, and throws the same. */
export interface Care {
  /** Remembers who keeps a fragment; replaces what was known of the same holder and fragment, but for its audit. */
  putPlacements(
    rows: readonly PlacementRow[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Who keeps, or kept, the fragments of a plan, by index and holder. */
  placements(
    planHash: Hash,
    signal: AbortSignal,
  ): Promise<readonly PlacementRow[]>;
  /**
   * Notes what was found out, in order; unknown placements are passed over. What was seen is no longer lost. What is
   * lost stays lost since the first time.
   */
  markPlacements(
    marks: readonly PlacementMark[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Forgets placements with their audits; unknown ones are passed over. */
  removePlacements(
    keys: readonly PlacementKey[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Forgets placements with their audits that were lost before a time; returns how many. */
  expirePlacements(lostBeforeMs: number, signal: AbortSignal): Promise<number>;
  /** At most `limit` plans of which something is placed, lost or not, in order. */
  placedPlans(page: PlacedPage, signal: AbortSignal): Promise<readonly Hash[]>;

  /** Remembers how audits ended, the latest of every placement; those of unknown placements are passed over. */
  putAudits(rows: readonly AuditRow[], signal: AbortSignal): Promise<void>;
  /** The latest audit of every placement of a plan that had one, by index and holder. */
  audits(planHash: Hash, signal: AbortSignal): Promise<readonly AuditRow[]>;

  /** Remembers how repair of a plan stands, replacing what was known; a plan that is not kept here is passed over. */
  putWatch(row: WatchRow, signal: AbortSignal): Promise<void>;
  /** How repair of a plan stands, `undefined` when it was never looked at. Forgotten with the plan. */
  watch(planHash: Hash, signal: AbortSignal): Promise<WatchRow | undefined>;
  /** At most `limit` plans that are due at a time, the one due longest first. */
  dueWatches(
    atMs: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly WatchRow[]>;

  /**
   * Removes a fragment whose bytes are bad or gone, and remembers it with its plan until it is kept again; what is not
   * there is passed over. Its blob is left alone.
   */
  strikeOut(key: FragmentKey, atMs: number, signal: AbortSignal): Promise<void>;
  /** What was struck out of a plan and is not kept again, by index. */
  struck(planHash: Hash, signal: AbortSignal): Promise<readonly FragmentRow[]>;
  /** Forgets that something was struck out, and plans that nothing needs any more. */
  removeStruck(
    keys: readonly FragmentKey[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Forgets what was struck out before a time, and plans that nothing needs any more; returns how many fragments. */
  expireStruck(beforeMs: number, signal: AbortSignal): Promise<number>;

  /** The account of a peer, `undefined` when neither keeps anything and nothing is noted. */
  ledger(peer: NodeId, signal: AbortSignal): Promise<LedgerRow | undefined>;
  /** At most `limit` accounts, who owes us most first: what we keep less what they keep, then by peer. */
  ledgers(limit: number, signal: AbortSignal): Promise<readonly LedgerRow[]>;
  /** Notes whether a peer belongs to an institution. An account is kept for one that does, though it be even. */
  markInstitutional(
    mark: InstitutionalMark,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * Remembers tombstones; an older one of the same key gives way, a newer one stays. Of others at most
   * `TOMBSTONES_MAX` are kept: those that run out first go.
   */
  putTombstones(
    rows: readonly TombstoneRow[],
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Remembers a tombstone and, with it, removes every fragment of these plans that is kept for others or was struck out,
   * and plans that nothing needs any more.
   */
  forget(
    row: TombstoneRow,
    plans: readonly Hash[],
    signal: AbortSignal,
  ): Promise<Forgotten>;
  /** A tombstone, run out or not; `undefined` when absent. */
  tombstone(
    key: TombstoneKey,
    signal: AbortSignal,
  ): Promise<TombstoneRow | undefined>;
  /** The tombstones we made, by tessera and creator. */
  ownTombstones(signal: AbortSignal): Promise<readonly TombstoneRow[]>;
  /** Forgets the tombstones whose time is up at `nowMs`, with their coverage; returns how many. */
  expireTombstones(nowMs: number, signal: AbortSignal): Promise<number>;
  /** Remembers how far tombstones have come, replacing what was known; those of unknown tombstones are passed over. */
  putCoverage(
    rows: readonly CoverageRow[],
    signal: AbortSignal,
  ): Promise<void>;
  /** How far a tombstone has come, by holder. */
  coverage(
    key: TombstoneKey,
    signal: AbortSignal,
  ): Promise<readonly CoverageRow[]>;
}
