/**
 * Routing decisions, pure: distances, the table of contacts, lookups as state machines, and who keeps which fragment.
 * Nothing here waits or reads a clock; `lib/node` acts on what is decided here.
 *
 * @module
 */
export type { Contact } from "./bucket.ts";
export {
  BUCKET_COUNT,
  bucketIndex,
  closer,
  distance,
  randomIdInBucket,
} from "./distance.ts";
export {
  Claims,
  Lookup,
  LOOKUP_DEFAULTS,
  type LookupOptions,
  type Outcome,
  type Question,
} from "./lookup.ts";
export {
  type Candidate,
  place,
  PLACE_DEFAULTS,
  type Placement,
  type PlaceOptions,
} from "./placement.ts";
export {
  type Entry,
  type Removal,
  type Step,
  Table,
  TABLE_DEFAULTS,
  type TableLimits,
} from "./table.ts";
