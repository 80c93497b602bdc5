/**
 * Routing decisions, pure: distances, the table of contacts, lookups as state machines, and who keeps which fragment.
 * Nothing here waits or reads a clock; `lib/node` acts on what is decided here.
 *
 * @module
 */
export type { Contact } from "./bucket.ts";
export { Claims } from "./claims.ts";
export {
  BUCKET_COUNT,
  bucketIndex,
  closer,
  distance,
  randomIdInBucket,
} from "./distance.ts";
export {
  shareOf,
  shareWithin,
  type Sighting,
  SizeEstimate,
} from "./estimate.ts";
export {
  Lookup,
  LOOKUP_DEFAULTS,
  type LookupOptions,
  type Outcome,
  type Question,
} from "./lookup.ts";
export { Pace } from "./pace.ts";
export { type PathQuestion, Paths, type PathsOptions } from "./paths.ts";
export {
  type Candidate,
  place,
  PLACE_DEFAULTS,
  type Placement,
  type PlaceOptions,
} from "./placement.ts";
export {
  CROWDED_BELOW,
  isCrowded,
  isWithin,
  keepersOf,
  placeOf,
  type Prefix,
  regionOf,
  type Surroundings,
} from "./region.ts";
export { Survey, type SurveyOptions } from "./survey.ts";
export {
  type Entry,
  type Removal,
  type Step,
  Table,
  TABLE_DEFAULTS,
  type TableLimits,
} from "./table.ts";
