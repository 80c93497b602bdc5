/**
 * Who keeps which fragment of a tessera. Places that fail together must not hold what is needed together: so fragments
 * go to as many peers as there are, few of them in one network, few of them institutions.
 */
import { keyOf, type NodeId } from "@tesseras/core";
import {
  FRAGMENTS_MAX,
  PEERS_PER_SUBNET_MAX,
  REPLICAS_PER_INSTITUTIONAL,
  REPLICATION_FACTOR,
} from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";

/** A peer that might keep fragments. */
export type Candidate<C extends Contact> = {
  readonly contact: C;
  /**
   * How well it kept for us what we kept for it; higher goes first, 0 where unknown. A rank of few values: with raw
   * balances the distance would never decide, and one rich peer would be asked for everything.
   */
  readonly reciprocity?: number;
  /** Whether it is a verified institution. */
  readonly institutional?: boolean;
};

/** How to place. */
export type PlaceOptions<C extends Contact> = {
  /** The tessera's key: among equals the nearest to it go first, since that is where anybody looks. */
  readonly key: NodeId;
  /** Peers of one tessera per subnet; `undefined` lifts the limit, for a cluster on one machine. */
  readonly subnetLimit?: number | undefined;
  /** Replicas the tessera should have; a share of them may be institutional. */
  readonly replicationFactor?: number;
  /** Fragments one peer may get here. 1 for whole copies: the second on one disk protects nobody. */
  readonly perPeerMax?: number;
  /** Peers that keep fragments of it already: they count towards the limits and get no more. */
  readonly holders?: readonly Candidate<C>[];
};

/** What {@link place} uses where its options are silent. */
export const PLACE_DEFAULTS = {
  subnetLimit: PEERS_PER_SUBNET_MAX,
  replicationFactor: REPLICATION_FACTOR,
  perPeerMax: FRAGMENTS_MAX,
  holders: [],
} as const;

/** Where fragments go. */
export type Placement<C extends Contact> = {
  /** Fragment index to peer. An index is absent when nobody may take it. */
  readonly assignments: ReadonlyMap<number, C>;
  /**
   * Peers for when one refuses, best first. They keep the limits together with all that are assigned, so any of them
   * may stand in for any of those.
   */
  readonly spare: C[];
};

/**
 * Decides who gets which fragment. Each gets one as long as there are peers, then each a second, and so on: 24 fragments on
 * 7 peers are lost with the third peer, on 24 peers with the ninth.
 *
 * Limits are kept even where that leaves fragments without a place: the owner knows best whether to wait or to lift one.
 * Equal input gives equal output, in whatever order the candidates come.
 */
export function place<C extends Contact>(
  indices: readonly number[],
  candidates: readonly Candidate<C>[],
  options: PlaceOptions<C>,
): Placement<C> {
  const rules = { ...PLACE_DEFAULTS, ...options };
  const wanted = [...new Set(indices)];
  const ranked = distinct(candidates, rules.holders)
    .sort((a, b) => byRank(rules.key, a, b));
  let chosen = choose(ranked, rules);
  if (chosen.length < wanted.length) {
    // An institution can take the subnet's place of an ordinary peer, and its own kind's place from an institution
    // elsewhere. When peers are scarce, asking institutions last gives as many as there can be.
    const ordinaryFirst = choose(
      ranked.toSorted((a, b) => institutionalCount(a) - institutionalCount(b)),
      rules,
    );
    if (ordinaryFirst.length > chosen.length) chosen = ordinaryFirst;
  }
  const peers = chosen.slice(0, wanted.length);
  const assignments = new Map<number, C>();
  wanted.forEach((index, at) => {
    if (at < peers.length * rules.perPeerMax) {
      assignments.set(index, peers[at % peers.length]!.contact);
    }
  });
  return {
    assignments,
    spare: chosen.slice(wanted.length).map(({ contact }) => contact),
  };
}

/** Each peer once, holders left out. */
function distinct<C extends Contact>(
  candidates: readonly Candidate<C>[],
  holders: readonly Candidate<C>[],
): Candidate<C>[] {
  const seen = new Set(holders.map(({ contact }) => keyOf(contact.id)));
  return candidates.filter(({ contact }) => {
    const key = keyOf(contact.id);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function byRank<C extends Contact>(
  key: NodeId,
  a: Candidate<C>,
  b: Candidate<C>,
): number {
  const better = (b.reciprocity ?? 0) - (a.reciprocity ?? 0);
  return better !== 0 ? better : closer(key, a.contact.id, b.contact.id);
}

/** Everybody who fits beside the holders and those before, in order. */
function choose<C extends Contact>(
  ranked: readonly Candidate<C>[],
  rules: {
    readonly subnetLimit: number | undefined;
    readonly replicationFactor: number;
    readonly holders: readonly Candidate<C>[];
  },
): Candidate<C>[] {
  const { subnetLimit = Infinity, replicationFactor, holders } = rules;
  const institutionalMax = Math.ceil(
    replicationFactor / REPLICAS_PER_INSTITUTIONAL,
  );
  const subnets = new Map<string, number>();
  let institutions = 0;
  const admit = (candidate: Candidate<C>): void => {
    institutions += institutionalCount(candidate);
    const { subnet } = candidate.contact;
    if (subnet !== undefined) {
      subnets.set(subnet, (subnets.get(subnet) ?? 0) + 1);
    }
  };
  holders.forEach(admit);
  const chosen: Candidate<C>[] = [];
  for (const candidate of ranked) {
    const { subnet } = candidate.contact;
    const neighbours = subnet === undefined ? 0 : subnets.get(subnet) ?? 0;
    // Without a subnet nothing is known to fail together, as between peers that only a relay reaches.
    if (subnet !== undefined && neighbours >= subnetLimit) continue;
    if (candidate.institutional && institutions >= institutionalMax) continue;
    admit(candidate);
    chosen.push(candidate);
  }
  return chosen;
}

function institutionalCount<C extends Contact>(
  candidate: Candidate<C>,
): number {
  return candidate.institutional ? 1 : 0;
}
