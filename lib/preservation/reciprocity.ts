/**
 * Give and take between this node and one peer: what may be kept for it, and who goes first. There is no currency and nobody
 * else is asked; who only takes waits longest, and loses nothing that is kept.
 */
import { compare, type NodeId } from "@tesseras/core";
import { DEFICIT_MAX, PER_PEER_MAX } from "@tesseras/core/limits";
import type { Urgency } from "./health.ts";

/** What is between us and a peer. */
export type Account = {
  /** Bytes it keeps for us. */
  readonly theyKeepBytes: number;
  /** Bytes we keep for it. */
  readonly weKeepBytes: number;
  /** A verified institution, or a peer of a node that gives without counting: owing is allowed. */
  readonly isExempt?: boolean;
};

/** How much one peer may take. */
export type ReciprocityLimits = {
  /** Bytes it may owe (user guide, "Deficit allowance"). */
  readonly deficitBytesMax: number;
  /** Bytes we keep for it at most, owed or not (user guide, "Per-peer limit"). */
  readonly perPeerBytesMax: number;
};

/** The limits of the user guide. */
export const RECIPROCITY_DEFAULTS: ReciprocityLimits = {
  deficitBytesMax: DEFICIT_MAX,
  perPeerBytesMax: PER_PEER_MAX,
};

/** Bytes they keep for us minus bytes we keep for them: positive when we owe. */
export function balanceBytes(account: Account): number {
  return account.theyKeepBytes - account.weKeepBytes;
}

/** Whether something may be kept for a peer, and if not, why. */
export type Acceptance =
  | { readonly may: true }
  | {
    readonly may: false;
    readonly why: "deficit" | "perPeer";
    /** How much would still be kept. */
    readonly roomBytes: number;
  };

/** Decides whether so many bytes more may be kept for a peer. Exactly the limit is within it. */
export function mayAccept(
  account: Account,
  bytes: number,
  limits: ReciprocityLimits = RECIPROCITY_DEFAULTS,
): Acceptance {
  const ofPeer = limits.perPeerBytesMax - account.weKeepBytes;
  if (bytes > ofPeer) {
    return { may: false, why: "perPeer", roomBytes: Math.max(0, ofPeer) };
  }
  const ofDeficit = limits.deficitBytesMax + balanceBytes(account);
  if (!account.isExempt && bytes > ofDeficit) {
    return { may: false, why: "deficit", roomBytes: Math.max(0, ofDeficit) };
  }
  return { may: true };
}

/**
 * How a peer stands, in few values: with raw balances the distance to a key would never decide, and the richest peer would be
 * asked for everything.
 *
 * - 1: keeps more for us than we for it;
 * - 0: even, unknown, or owing within the allowance;
 * - -1: a free rider, who owes as much as it may or more.
 */
export type ReciprocityRank = 1 | 0 | -1;

/** The rank of a peer. Exemption spares an institution the last. */
export function rankOf(
  account: Account,
  limits: ReciprocityLimits = RECIPROCITY_DEFAULTS,
): ReciprocityRank {
  const balance = balanceBytes(account);
  if (balance > 0) return 1;
  if (account.isExempt) return 0;
  return balance <= -limits.deficitBytesMax ? -1 : 0;
}

/** A tessera that waits for its repair. */
export type RepairJob = {
  readonly key: NodeId;
  readonly urgency: Urgency;
  /** Fragments that may still go. */
  readonly spareCount: number;
  /** The rank of whom it is kept for; 0 where that is nobody we know. */
  readonly rank: ReciprocityRank;
};

const URGENCIES: readonly Urgency[] = ["atOnce", "soon", "idle", "none"];

/**
 * The order of repairs: those of free riders after all others, then by urgency, then those who keep for us first, then the
 * smallest margin. Every job stays in the list: who is last waits, and nothing is dropped.
 */
export function repairOrder<J extends RepairJob>(jobs: readonly J[]): J[] {
  return jobs.toSorted((a, b) =>
    riding(a) - riding(b) ||
    URGENCIES.indexOf(a.urgency) - URGENCIES.indexOf(b.urgency) ||
    b.rank - a.rank ||
    a.spareCount - b.spareCount ||
    compare(a.key, b.key)
  );
}

function riding({ rank }: RepairJob): number {
  return rank < 0 ? 1 : 0;
}
