/** What a node remembers of others who keep fragments, row by row; bytes as in rows.ts. */
import {
  type Hash,
  type NodeId,
  type TesseraId,
  TesserasError,
  utf8,
} from "@tesseras/core";
import { checkText, checkWhole, type FragmentKey } from "./rows.ts";

/** What names one fragment at one holder. */
export type PlacementKey = FragmentKey & { readonly holder: NodeId };

/** That a holder has proved nothing for a while, and what was tried meanwhile. */
export type Silence = {
  /** The first try in vain after the last proof. */
  readonly sinceMs: number;
  /** The last one. */
  readonly triedAtMs: number;
  readonly tryCount: number;
  /** Tries at which it was there, and proved nothing all the same. */
  readonly evasionCount: number;
};

/** A fragment that a holder keeps, or says it keeps: of a tessera of ours, or of one that we help to keep. */
export type PlacementRow = PlacementKey & {
  /** The holder's signed node record. */
  readonly record: Uint8Array;
  /** Bytes of the fragment, 0 while there is only somebody's word: an account is not credited for that. */
  readonly bytes: number;
  /** When it said that the fragment is kept. */
  readonly ackedAtMs: number;
  /** When it last said so, or proved it. */
  readonly lastSeenMs: number;
  /** When we found that it keeps it no more; `undefined` while it does. */
  readonly lostAtMs: number | undefined;
  /** Absent while it answers. Being seen, or marked lost, ends it. */
  readonly silence?: Silence;
  /** Since when it has answered without a gap, the first time with bytes; absent while there is only somebody's word. */
  readonly provedSinceMs?: number;
};

/** What was found out about a placement: that the fragment is still kept, that it is lost, or that nobody proves it. */
export type PlacementMark =
  & PlacementKey
  & (
    | { readonly seenAtMs: number }
    | { readonly lostAtMs: number }
    | { readonly silence: Silence }
  );

/** A part of the list of plans of which something is placed. */
export type PlacedPage = {
  /** The plan it begins after; the first when `undefined`. */
  readonly after: Hash | undefined;
  readonly limit: number;
  /** Only plans of which this holder keeps something that is not lost. */
  readonly holder?: NodeId;
};

/** How an audit ended: `failed` is a wrong proof, `admitted` the holder's own word that it has it no more, `unanswered` may only be a bad line. */
export const AUDIT_OUTCOMES = [
  "passed",
  "failed",
  "admitted",
  "unanswered",
] as const;
/** One of {@link AUDIT_OUTCOMES}. */
export type AuditOutcome = typeof AUDIT_OUTCOMES[number];

/** Bytes of the sentence that goes with a result. */
export const DETAIL_BYTES_MAX = 200;

/** As much of a sentence as a detail may have, in whole characters. */
export function detailOf(sentence: string): string {
  const room = new Uint8Array(DETAIL_BYTES_MAX);
  const text = sentence.toWellFormed().replaceAll("\0", " ");
  return text.slice(0, new TextEncoder().encodeInto(text, room).read);
}

/** The latest audit of a placement. */
export type AuditRow = PlacementKey & {
  readonly atMs: number;
  readonly outcome: AuditOutcome;
  /** One sentence for a person, at most {@link DETAIL_BYTES_MAX} bytes; empty when there is nothing to say. */
  readonly detail: string;
};

/** What the repair of a plan is at. */
export const WATCH_STATES = ["idle", "waiting", "repairing"] as const;
/** One of {@link WATCH_STATES}: nothing to do before it is due, waiting for those whose turn is first, or at work. */
export type WatchState = typeof WATCH_STATES[number];

/** How the repair of a plan stands, so that it goes on after a restart. */
export type WatchRow = {
  readonly planHash: Hash;
  /** When it is to be looked at next. */
  readonly dueAtMs: number;
  readonly state: WatchState;
  /** Since when it is in that state; of waiting and repairing, since when the need is known. */
  readonly sinceMs: number;
  /** Attempts that failed in a row. */
  readonly attempts: number;
  /** One sentence for a person, at most {@link DETAIL_BYTES_MAX} bytes; empty when there is nothing to say. */
  readonly detail: string;
  /** Since when we look after the plan; absent where that was never written down. */
  readonly watchedSinceMs?: number;
};

/**
 * What we and a peer keep for one another: fragments only, since plans are what proves them. Without the fragments it sent as
 * a repairer, and of what it keeps only what is of our own published tesseras and not lost.
 */
export type LedgerRow = {
  readonly peer: NodeId;
  readonly weKeepBytes: number;
  readonly theyKeepBytes: number;
  readonly isInstitutional: boolean;
  /** When the first of that was kept; it begins anew after a time with nothing. */
  readonly firstSeenMs: number;
};

/** A peer that belongs to an institution, or does no longer. */
export type InstitutionalMark = {
  readonly peer: NodeId;
  readonly isInstitutional: boolean;
  readonly atMs: number;
};

/** What names a tombstone: anybody may sign one for any tessera, so it counts for the plans of its signer alone. */
export type TombstoneKey = {
  readonly tesseraId: TesseraId;
  /** BLAKE3 of both public keys of its signer. */
  readonly creator: Hash;
};

/** A tombstone: ours, or that of another whose fragments must not be taken again. */
export type TombstoneRow = TombstoneKey & {
  /** The signed tombstone. */
  readonly bytes: Uint8Array;
  /** When its creator made it. */
  readonly createdAtMs: number;
  /** Until when it counts. */
  readonly expiresAtMs: number;
  /** Whether we made it, and tell holders of it. */
  readonly isOurs: boolean;
};

/** How far a tombstone of ours has come to one holder. */
export type CoverageRow = TombstoneKey & {
  readonly holder: NodeId;
  /** The holder's signed node record. */
  readonly record: Uint8Array;
  /** When it was last sent to it; `undefined` before. */
  readonly toldAtMs: number | undefined;
  /** When it said that nothing is left; `undefined` before. */
  readonly confirmedAtMs: number | undefined;
};

/** What was removed because of a tombstone. */
export type Forgotten = {
  /** How many fragments. */
  readonly fragmentCount: number;
  /** The blobs nobody refers to any more. */
  readonly blobs: readonly Hash[];
};

/** @throws `malformed` when a column cannot take the row as it is */
export function checkPlacement(row: PlacementRow): void {
  checkWhole(row.index, "fragment index");
  checkWhole(row.bytes, "fragment size");
  checkWhole(row.ackedAtMs, "acknowledgement time");
  checkWhole(row.lastSeenMs, "time last seen");
  if (row.lostAtMs !== undefined) checkWhole(row.lostAtMs, "time of loss");
  if (row.silence !== undefined) checkSilence(row.silence);
  if (row.provedSinceMs !== undefined) {
    checkWhole(row.provedSinceMs, "time of the proof");
  }
}

/** As {@link checkPlacement}. */
export function checkMark(mark: PlacementMark): void {
  if ("silence" in mark) return checkSilence(mark.silence);
  checkWhole("seenAtMs" in mark ? mark.seenAtMs : mark.lostAtMs, "time seen");
}

function checkSilence(silence: Silence): void {
  checkWhole(silence.sinceMs, "time of the first try");
  checkWhole(silence.triedAtMs, "time of the last try");
  checkWhole(silence.tryCount, "count of tries");
  checkWhole(silence.evasionCount, "count of evasions");
}

/** As {@link checkPlacement}. */
export function checkAudit(row: AuditRow): void {
  checkWhole(row.atMs, "time of the audit");
  checkDetail(row.detail);
}

/** As {@link checkPlacement}. */
export function checkWatch(row: WatchRow): void {
  checkWhole(row.dueAtMs, "time due");
  checkWhole(row.sinceMs, "time of change");
  checkWhole(row.attempts, "count of attempts");
  if (row.watchedSinceMs !== undefined) {
    checkWhole(row.watchedSinceMs, "time since when it is watched");
  }
  checkDetail(row.detail);
}

/** As {@link checkPlacement}. */
export function checkTombstone(row: TombstoneRow): void {
  checkWhole(row.createdAtMs, "creation time");
  checkWhole(row.expiresAtMs, "expiry");
}

/** As {@link checkPlacement}. */
export function checkCoverage(row: CoverageRow): void {
  if (row.toldAtMs !== undefined) checkWhole(row.toldAtMs, "time told");
  if (row.confirmedAtMs !== undefined) {
    checkWhole(row.confirmedAtMs, "time of confirmation");
  }
}

function checkDetail(detail: string): void {
  const { length } = utf8(checkText(detail, "detail"));
  if (length <= DETAIL_BYTES_MAX) return;
  throw new TesserasError(
    "malformed",
    `Cannot keep detail of ${length} bytes: at most ${DETAIL_BYTES_MAX}`,
  );
}
