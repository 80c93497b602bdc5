/**
 * The data path of a relay: UDP packets of two peers move between two ports that are theirs alone. What is decided about a packet is
 * pure; who gets a pair, and for how long, is decided elsewhere. The sockets are adapters with entries of their own.
 *
 * @module
 */
export type {
  ForwardedPair,
  Forwarder,
  ForwarderOptions,
  PairRequest,
  PortRange,
} from "./forwarder.ts";
export { type Arrival, emptyTally, Pair, type Tally } from "./pair.ts";
export { isLong, OfferedIds, opensConnection } from "./quic_ids.ts";
export {
  type Lease,
  LEASES_PER_SUBJECT_MAX,
  type SharedQuotas,
} from "./quotas.ts";
