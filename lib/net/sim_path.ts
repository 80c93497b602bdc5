/** The way of one simulated connection through the NATs between its ends. */
import { type Address, formatAddress } from "@tesseras/core";
import type {
  SimArrival,
  SimGuest,
  SimPacket,
  SimRouter,
} from "./sim_router.ts";

/** How an end's packets get past NATs, and which of the peer's get in. */
export type SimPath = {
  /** Where the peer is now, as this end sees it. */
  readonly remote: Address;
  /** Sends a packet off, and returns whether it gets in at the other end, to be asked once, when it arrives there. */
  leave(bytes: number): () => boolean;
};

/**
 * Both ends of a connection that begins with a packet to `to`, which its answerer saw come from `seenAt`. The dialer keeps to the address
 * it dialled, the answerer follows the dialer (RFC 9000, 9).
 */
export function simPaths<Guest extends SimGuest>(
  router: SimRouter<Guest>,
  { dialer, answerer, to, seenAt }: {
    readonly dialer: Guest;
    readonly answerer: Guest;
    readonly to: Address;
    readonly seenAt: Address;
  },
): { readonly near: SimPath; readonly far: SimPath } {
  let dialerAt = seenAt;
  return {
    near: {
      remote: to,
      leave(bytes) {
        const packet = router.send(dialer.place, to, bytes);
        return () => {
          const arrival = router.receive(packet);
          if (arrival?.guest !== answerer) return false;
          dialerAt = arrival.source;
          return true;
        };
      },
    },
    far: {
      get remote() {
        return dialerAt;
      },
      leave(bytes) {
        const packet = router.send(answerer.place, dialerAt, bytes);
        return () => isHeard(router, packet, { by: dialer, from: to });
      },
    },
  };
}

/** Whether a packet gets in to a dialer, and comes from where it dialled: a client takes an answer from nowhere else (RFC 9000, 9). */
export function isHeard<Guest extends SimGuest>(
  router: SimRouter<Guest>,
  packet: SimPacket,
  { by, from }: { readonly by: Guest; readonly from: Address },
): boolean {
  const arrival: SimArrival<Guest> | undefined = router.receive(packet);
  return arrival?.guest === by &&
    formatAddress(arrival.source) === formatAddress(from);
}
