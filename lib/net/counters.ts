/** The names of everything sessions do and drop, with the sentence a metrics page prints beside each. */
import type { Counters } from "@tesseras/core";

/** Every counter of sessions, admission and requests. Drops are named by the reason that stopped them, in the order they are checked. */
export const COUNTERS = {
  "admission.handshake_rate":
    "Inbound connections dropped because new ones came faster than the limit",
  "admission.connections_full":
    "Inbound connections dropped because the node holds as many as it may",
  "admission.address_full":
    "Inbound connections dropped because their address holds as many as it may",
  "admission.policy_refused":
    "Proven peers turned away by the policy of the embedding application",
  "admission.request_rate":
    "Requests answered with overloaded because their sender asks too often",
  "hello.accepted": "Inbound connections whose dialer proved its identity",
  "hello.timeout":
    "Inbound connections closed because no proof of identity came in time",
  "hello.malformed":
    "Inbound connections closed because the proof could not be read",
  "hello.weak_work":
    "Inbound connections closed because the id behind them shows too little work",
  "hello.forged_record":
    "Inbound connections closed because the node record was forged or stale",
  "hello.forged_proof":
    "Inbound connections closed because the signature did not answer our challenge",
  "hello.self":
    "Connections closed because the node at the other end was this node",
  "hello.unfinished":
    "Inbound connections that ended before a proof; first contacts end like this",
  "hello.refused_by_us":
    "Dialled connections closed because the challenge was not the expected peer's",
  "peers.dialled": "Connections dialled and proven",
  "peers.dial_failed": "Dials that ended without a session",
  "peers.dial_backoff":
    "Requests not sent because the peer could not be reached a moment ago",
  "peers.dials_full":
    "Requests not sent because the node holds as many dialled connections as it may",
  "peers.redialled":
    "Requests sent again over a new connection because the old one was dead",
  "peers.duplicate_closed":
    "Connections closed because a second one to the same peer was kept",
  "peers.idle_closed": "Connections closed because nothing passed over them",
  "peers.silent_closed":
    "Connections closed because a request on them met nothing but silence",
  "rpc.asked": "Requests sent over any connection",
  "rpc.failed": "Requests sent that did not get the answer they asked for",
  "rpc.served": "Requests answered with what they asked for",
  "rpc.refused": "Requests answered with an error",
  "rpc.malformed": "Requests that could not be read",
  "rpc.slow": "Requests given up because they did not arrive in time",
  "rpc.unanswered":
    "Requests whose sender was gone, or too slow, when the answer was ready",
  "rpc.handler_failed":
    "Requests that met an error nobody foresaw: a bug worth reporting",
} as const;

/** A name in {@link COUNTERS}. */
export type CounterName = keyof typeof COUNTERS;

/** Adds one to a counter of {@link COUNTERS}; the type keeps unlisted names out. */
export function count(counters: Counters, name: CounterName): void {
  counters.add(name);
}
