/** Which way to a peer is tried first, and which beside it: directly, by a punch that somebody introduces, over a relay. */
import { RELAY_AFTER_MS } from "@tesseras/core/limits";
import type { NatKind } from "./kind.ts";

/** A way to a peer, cheapest first. */
export type Rung = "direct" | "punch" | "relay";

/** Why a rung is on the ladder, for the trace a person reads. */
export type RungReason =
  /** The peer says that anybody can dial it. */
  | "peer is public"
  /** Nobody knows what stands before the peer; an address it names costs one dial. */
  | "peer named an address"
  /** Both sit behind one router: the introduction tells their addresses inside, where no NAT stands between them. */
  | "same network"
  /** We can be dialled: the peer needs only to be told to. */
  | "peer can dial us"
  /** At least one of the two keeps one port for everybody. */
  | "a port can be foretold"
  /** Both NATs take a fresh port for each peer: nobody can foretell where to knock. */
  | "both are symmetric"
  /** What comes before it has failed, or takes its time. */
  | "in case the others fail";

/** One rung, and when it is begun if none before has led anywhere. */
export type Step = {
  readonly rung: Rung;
  readonly reason: RungReason;
  /** Milliseconds from the beginning; at once when every rung before has failed. */
  readonly afterMs: number;
};

/** What is known of the two peers and of those between them. */
export type Prospects = {
  readonly own: NatKind;
  readonly peer: NatKind;
  /** Whether the peer's record names an address that can be dialled from here. */
  readonly hasAddress: boolean;
  /** Whether both have the same outer IP address. */
  readonly sameNetwork: boolean;
  /** Whether somebody has a connection to both. */
  readonly hasIntroducer: boolean;
  /** Whether a relay with room is known. */
  readonly hasRelay: boolean;
};

/**
 * The ladder to a peer, in the order of its beginnings; empty when there is no way at all. "Cone" says how a NAT maps and not what it
 * lets in, so a punch is tried whenever one side is cone or may be; two symmetric ones never meet (0 of 20 in the lab).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * const all = { hasAddress: false, sameNetwork: false, hasIntroducer: true, hasRelay: true };
 * const rungs = ladder({ ...all, own: "cone", peer: "cone" }).map(({ rung }) => rung);
 * assertEquals(rungs, ["punch", "relay"]);
 * ```
 */
export function ladder(prospects: Prospects): readonly Step[] {
  const steps = [...directSteps(prospects), ...punchSteps(prospects)];
  // A peer hears of a relay through the introducer, too: without one it would wait there for nobody.
  if (!prospects.hasRelay || !prospects.hasIntroducer) return steps;
  const reason = isHopeless(prospects)
    ? "both are symmetric"
    : "in case the others fail";
  const afterMs = steps.length === 0 ? 0 : RELAY_AFTER_MS;
  return [...steps, { rung: "relay", reason, afterMs }];
}

function directSteps({ peer, hasAddress }: Prospects): readonly Step[] {
  // What a symmetric NAT showed to somebody else is closed to us.
  if (!hasAddress || peer === "symmetric") return [];
  const reason = peer === "public" ? "peer is public" : "peer named an address";
  return [{ rung: "direct", reason, afterMs: 0 }];
}

function punchSteps(prospects: Prospects): readonly Step[] {
  const { own, peer, hasIntroducer, hasAddress, sameNetwork } = prospects;
  if (!hasIntroducer || isHopeless(prospects)) return [];
  if (peer === "public" && hasAddress) return [];
  const step = (reason: RungReason): readonly Step[] => [
    { rung: "punch", reason, afterMs: 0 },
  ];
  if (sameNetwork) return step("same network");
  return step(own === "public" ? "peer can dial us" : "a port can be foretold");
}

function isHopeless({ own, peer, sameNetwork }: Prospects): boolean {
  return own === "symmetric" && peer === "symmetric" && !sameNetwork;
}
