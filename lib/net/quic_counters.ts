/** The names of everything the QUIC endpoint drops, with the sentence a metrics page prints beside each. */
import type { Counters } from "@tesseras/core";

/** Every counter of the endpoint, in the order an inbound connection meets them. */
export const QUIC_COUNTERS = {
  "quic.bad_client":
    "Inbound connections refused because their first packet asked for another protocol or could not be used",
  "quic.admission_refused": "Inbound connections that admission turned away",
  "quic.half_open_refused":
    "Inbound connections refused because too many handshakes were under way",
  "quic.handshake_failed":
    "Inbound connections whose handshake broke off; dialers that wanted another key end like this",
  "quic.handshake_timeout":
    "Inbound connections closed because their handshake took too long",
  "quic.arrivals_refused":
    "Inbound connections closed because nobody accepted the ones before them",
  "quic.accepted": "Inbound connections whose handshake was completed",
  "quic.dial_failed": "Dials that did not connect",
  "quic.dialled": "Dials that connected",
} as const;

/** Adds one to a counter of {@link QUIC_COUNTERS}; the type keeps unlisted names out. */
export function countQuic(
  counters: Counters,
  name: keyof typeof QUIC_COUNTERS,
): void {
  counters.add(name);
}
