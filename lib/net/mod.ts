/**
 * One node talks to another: the transport port, proof of who is at the other end, requests with deadlines, bulk octets
 * that stream, and the sessions of a node. The transports themselves have entries of their own: `@tesseras/net/quic` and
 * `@tesseras/net/sim`.
 *
 * @module
 */
export {
  Admission,
  ADMISSION_DEFAULTS,
  type AdmissionLimits,
  type Meter,
} from "./admission.ts";
export {
  type Activity,
  type Answer,
  ask,
  type AskOptions,
  type Call,
} from "./ask.ts";
export {
  bulkOf,
  type BulkReader,
  type BulkSource,
  collectBulk,
  transferTimeoutMs,
} from "./bulk.ts";
export type { RungTrace } from "./climb.ts";
export { answerCost, workOf } from "./cost.ts";
export { DialPauses } from "./dial_pauses.ts";
export { FrameReader } from "./frames.ts";
export { CLOSE, dialHello, type Self, type Session } from "./hello.ts";
export type {
  Met,
  OpenPeerNet,
  PeerNet,
  PeerNetParts,
  SessionStatus,
} from "./peer_net.ts";
export { Peers } from "./peers.ts";
export type { PeersParts } from "./peers_parts.ts";
export {
  type RelayLine,
  type RelayLineEnd,
  RelayLines,
  type RelayLinesParts,
} from "./relay_lines.ts";
export { type Handler, type Reply, serve, type Serving } from "./serve.ts";
export { innerOf, type Standing } from "./standing.ts";
export {
  type Admit,
  type Closed,
  CLOSED_FRIENDLY,
  CLOSED_LOST,
  CLOSED_REFUSED,
  type Connection,
  type Expect,
  type Greet,
  type Stream,
  type Transport,
} from "./transport.ts";
export { isDialable, type Way } from "./way.ts";
