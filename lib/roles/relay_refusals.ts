/** Why a relay says no, as whoever asked and whoever operates it are told. */
import {
  type CounterName,
  type Counters,
  type ErrorCode,
  TesserasError,
} from "@tesseras/core";
import type { RelayRefusal } from "@tesseras/nat";

type No = {
  readonly counter: CounterName;
  readonly code: ErrorCode;
  readonly why: string;
};

/** What each refusal is called, and what whoever asked does next: where there is no room they ask another relay. */
const NO = {
  "self": {
    counter: "relay.refused_self",
    code: "refused",
    why: "it was asked for the asker itself",
  },
  "draining": {
    counter: "relay.refused_draining",
    code: "overloaded",
    why: "it is about to stop",
  },
  "volume": {
    counter: "relay.refused_volume",
    code: "overloaded",
    why: "its volume of this month is used up",
  },
  "full": {
    counter: "relay.refused_full",
    code: "overloaded",
    why: "it has as many sessions as may be",
  },
  "peer quota": {
    counter: "relay.refused_peer_quota",
    code: "refused",
    why: "you are in as many sessions as you may",
  },
  "subnet quota": {
    counter: "relay.refused_subnet_quota",
    code: "refused",
    why: "your network is in as many sessions as it may",
  },
  "shared quota": {
    counter: "relay.refused_shared_quota",
    code: "refused",
    why: "you or your network are in as many sessions as relays grant together",
  },
} as const satisfies Record<RelayRefusal | "shared quota", No>;

/** A reason to say no: the relay's own, or that of several relays together. */
export type RelayNo = keyof typeof NO;

/** Counts a refusal and makes its error. */
export function relayNo(refusal: RelayNo, counters: Counters): TesserasError {
  const { counter, code, why } = NO[refusal];
  counters.add(counter);
  return new TesserasError(code, `Cannot relay: ${why}`);
}
