/**
 * What a node remembers: the port, its rows, and the implementation in memory. The one in libSQL has an entry of its
 * own, `@tesseras/state/libsql`.
 *
 * @module
 */
export { MemoryState } from "./memory.ts";
export {
  type FileRow,
  type FragmentKey,
  type FragmentRow,
  type Holding,
  type Origin,
  ORIGINS,
  type PeerRow,
  type PlacementRow,
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
