/** Who may be given fragments of a tessera, as placement sees them. */
import { keyOfTessera, mapBounded } from "@tesseras/core";
import { BUCKET_PEERS_MAX, DEFICIT_MAX } from "@tesseras/core/limits";
import type { Candidate } from "@tesseras/kad";
import {
  rankOf,
  RECIPROCITY_DEFAULTS,
  type ReciprocityRank,
} from "@tesseras/preservation";
import type { LedgerRow, State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import { CAPABILITIES, type NodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";
import { candidateOf } from "./sender.ts";

/** Accounts read at once. */
const ACCOUNTS_PARALLEL = 8;

/** What {@link candidatesFor} works with. */
export type CandidateParts = {
  readonly node: Node;
  readonly state: Pick<State, "care">;
  /** Bytes a peer may owe before it is asked last. */
  readonly deficitMax?: number;
};

/** Peers that store, the nearest to the tessera's key, each with its rank. */
export async function candidatesFor(
  { node, state, deficitMax = DEFICIT_MAX }: CandidateParts,
  plan: Plan,
  signal: AbortSignal,
): Promise<
  {
    readonly candidates: readonly Candidate<NodeRecord>[];
    readonly hops: number;
  }
> {
  const { closest, hops } = await findNodes(
    node,
    keyOfTessera(plan.tesseraId),
    {
      want: CAPABILITIES.STORAGE,
      count: Math.max(BUCKET_PEERS_MAX, plan.fragments.length),
    },
    signal,
  );
  const candidates = await mapBounded(
    closest,
    ACCOUNTS_PARALLEL,
    async (peer, laneSignal) => {
      const account = await state.care.ledger(peer.id, laneSignal);
      return candidateOf(peer, rankOfAccount(account, deficitMax));
    },
    signal,
  );
  return { candidates, hops };
}

/** The rank of whoever has this account with us; even where there is none. */
export function rankOfAccount(
  account: LedgerRow | undefined,
  deficitBytesMax: number,
): ReciprocityRank {
  if (account === undefined) return 0;
  const { isInstitutional: isExempt } = account;
  const limits = { ...RECIPROCITY_DEFAULTS, deficitBytesMax };
  return rankOf({ ...account, isExempt }, limits);
}
