/** What a run came to, in numbers. */

/** Counts of everything that happened and was looked at. */
export class Tally {
  /** Operations at which something was made to happen. */
  operationsWalked = 0;
  /** Histories played from beginning to end. */
  runs = 0;
  kills = 0;
  restarts = 0;
  /** Operations that failed without a death. */
  errors = 0;
  /** Blobs that rotted, were cut off or vanished on their disk. */
  harms = 0;
  /** Fragments and tombstones that a holder said yes to. */
  acknowledged = 0;
  repairs = 0;
  /** Single invariants looked at: a row, a reference, a blob. */
  checks = 0;
  /** Tesseras fetched by a newcomer and compared byte by byte. */
  fetches = 0;
}
