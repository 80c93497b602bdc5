/**
 * What every participant does: answer, look up, join, publish and fetch.
 *
 * @module
 */
export { attest, type Attestation, type AttestedPlan } from "./attest.ts";
export { audit, type AuditResult, observationOf } from "./audit.ts";
export { fetch, type FetchParts, type FetchReport } from "./fetch.ts";
export { type ForgetEvent, Forgetter, type ForgetterParts } from "./forget.ts";
export type { FetchEvent } from "./gather.ts";
export { find, findNodes, type FindOptions, type Found } from "./find.ts";
export {
  type Entry,
  join,
  type JoinReport,
  refreshForever,
  savedPeers,
  savePeers,
  savePeersForever,
} from "./join.ts";
export { Node } from "./node.ts";
export type {
  NodeOptions,
  NodeTraits,
  OverMessages,
  OverTransport,
  RecordReader,
} from "./options.ts";
export { OwnOutlook, type Surroundings } from "./outlook.ts";
export {
  newestOf,
  type Provider,
  storeProviders,
  type StoreReport,
} from "./pointers.ts";
export { findProviders } from "./providers.ts";
export { Sweep } from "./sweep.ts";
export { publish, type PublishReport } from "./publish.ts";
export { Publisher, type PublisherParts } from "./publisher.ts";
export { isForgotten } from "./forgotten.ts";
export { Budget } from "./budget.ts";
export { rankOfAccount } from "./candidates.ts";
export { type Depth, type Regard, regard, type RegardParts } from "./regard.ts";
export { notePresence, PRESENCE_MS } from "./absence.ts";
export { release, type Spare } from "./release.ts";
export { repair, type RepairParts, type RepairReport } from "./repair.ts";
export type { PublishEvent, PublishParts } from "./sender.ts";
export type { Gauge, Handle, Handlers, Role } from "./role.ts";
export type { Hop, LookupTrace } from "./trace.ts";
