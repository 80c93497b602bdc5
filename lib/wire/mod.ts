/**
 * The gate for bytes from peers: what passes here is a checked, readonly message or record, and nobody behind it
 * checks shape again.
 *
 * @module
 */
export { isDialable } from "./addresses.ts";
export {
  CAPABILITIES,
  CAPABILITIES_MAX,
  hasCapabilities,
} from "./capabilities.ts";
export type { Definition, MessageKind } from "./definition.ts";
export {
  type Fresh,
  type FreshForm,
  readFresh,
  signFresh,
} from "./fresh_record.ts";
export {
  decodeMessage,
  encodeFrame,
  type Envelope,
  frameLength,
  MESSAGE_ID_MAX,
  WIRE_VERSION_MIN,
} from "./frame.ts";
export type {
  Attest,
  Audit,
  Audited,
  Forget,
  Forgotten,
} from "./messages_care.ts";
export type {
  FindNode,
  FindValue,
  Nodes,
  ProviderEntry,
  Providers,
  Store,
  Stored,
} from "./messages_dht.ts";
export {
  type ErrorAnswer,
  errorAnswerOf,
  WIRE_CODES,
  type WireCode,
} from "./messages_error.ts";
export type {
  Fragment,
  GetFragment,
  GetPlan,
  Kept,
  PlanAnswer,
  PutFragment,
} from "./messages_fragment.ts";
export {
  type Challenge,
  HELLO_NONCE_BYTES,
  type Ping,
  type Pong,
  type Proof,
  proofBytes,
} from "./messages_hello.ts";
export type {
  PunchAgreed,
  PunchIntro,
  PunchReady,
  PunchRequest,
  RelayClose,
  RelayClosed,
  RelayMigrate,
  RelayOffered,
  RelayRequest,
  Rendezvous,
} from "./messages_meet.ts";
export {
  checkNodeRecordFresh,
  type NodeRecord,
  type NodeRecordFields,
  readNodeRecord,
  type RelayOffer,
  signNodeRecord,
} from "./node_record.ts";
export {
  checkProviderRecordFresh,
  type ProviderRecord,
  type ProviderRecordFields,
  readProviderRecord,
  signProviderRecord,
} from "./provider_record.ts";
export { CONSENT, INTRODUCTION, type Meeting } from "./punch_record.ts";
export { RecordCache } from "./record_cache.ts";
export {
  bulkBytesOf,
  isRequest,
  isResponseTo,
  type Message,
  REGISTRY,
  type Request,
  type Response,
  type ResponseOf,
} from "./registry.ts";
export {
  RELAY_ENDED,
  RELAY_ENDS,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
  type RelayEnd,
  type RelayEnded,
  type RelayGranted,
  type RelayMoved,
  type RelayWanted,
} from "./relay_record.ts";
export type { RecordRules, Stamp } from "./signed.ts";
