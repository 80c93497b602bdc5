/**
 * What a node remembers: the port, its rows, and the implementation in memory. The one in libSQL has an entry of its
 * own, `@tesseras/state/libsql`.
 *
 * @module
 */
export type { Care } from "./care.ts";
export {
  AUDIT_OUTCOMES,
  type AuditOutcome,
  type AuditRow,
  type CoverageRow,
  DETAIL_BYTES_MAX,
  detailOf,
  type Forgotten,
  type InstitutionalMark,
  type LedgerRow,
  type PlacedPage,
  type PlacementKey,
  type PlacementMark,
  type PlacementRow,
  type Silence,
  type TombstoneKey,
  type TombstoneRow,
  WATCH_STATES,
  type WatchRow,
  type WatchState,
} from "./care_rows.ts";
export { MemoryState } from "./memory.ts";
export {
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  isClaimable,
  NOBODY,
  type Origin,
  ORIGINS,
  type PeerRow,
  type PlanRow,
  type PointerKey,
  type PointerRow,
  PUBLICATION_STATES,
  type PublicationRow,
  type PublicationState,
  type TesseraRow,
  VISIBILITIES,
  type Visibility,
} from "./rows.ts";
export type { State } from "./state.ts";
