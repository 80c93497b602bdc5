/** Hands the fragments of a plan to their holders. */
import type { Archive } from "@tesseras/archive";
import {
  codeOf,
  equal,
  keyOf,
  keyOfTessera,
  mapBounded,
  messageOf,
  type NodeId,
  TesserasError,
} from "@tesseras/core";
import {
  FRAGMENTS_MAX,
  REPLICATION_FACTOR,
  TRANSFERS_PARALLEL,
} from "@tesseras/core/limits";
import { type Candidate, place } from "@tesseras/kad";
import { transferTimeoutMs } from "@tesseras/net";
import type { State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import {
  CAPABILITIES,
  type NodeRecord,
  type ProviderRecord,
} from "@tesseras/wire";
import type { Budget } from "./budget.ts";
import type { Node } from "./node.ts";
import type { Provider } from "./pointers.ts";
import { FragmentBulk } from "./transfer.ts";

/** What happens while a tessera is published. */
export type PublishEvent =
  | {
    readonly type: "peers";
    readonly candidateCount: number;
    readonly hops: number;
  }
  | {
    readonly type: "sent";
    readonly index: number;
    readonly holder: NodeId;
    readonly bytes: number;
    readonly sentBytes: number;
    readonly totalBytes: number;
  }
  | {
    readonly type: "retry";
    readonly index: number;
    readonly holder: NodeId;
    readonly reason: string;
  }
  | { readonly type: "announced"; readonly keeperCount: number };

/** What a publish works with. */
export type PublishParts = {
  readonly node: Node;
  /** Where the fragments come from. */
  readonly archive: Pick<Archive, "openFragment">;
  readonly state: State;
  /** Peers of one subnet per tessera; `undefined` on a cluster of one machine. */
  readonly subnetLimit: number | undefined;
  readonly parallel?: number;
  /** Our own provider record of the plan, when we repair as a holder: then what we send is no debt of ours. */
  readonly repair?: Uint8Array;
  /** Peers that keep some of it beside those that are counted for each fragment: they get no more, and count towards every limit. */
  readonly beside?: readonly NodeRecord[];
  /** Bytes a peer may owe before it is asked last. */
  readonly deficitMax?: number;
  /** How fast; as fast as peers take it where there is none. */
  readonly budget?: Budget;
};

/** Hands out fragments to holders, a few at a time, and moves on when one refuses. */
export class Sender {
  readonly #parts: PublishParts;
  readonly #plan: Plan;
  readonly #candidates: readonly Candidate<NodeRecord>[];
  readonly #held: Map<number, NodeRecord>;
  /** Peers that failed once: not asked again for a fragment they were not assigned. */
  readonly #refused = new Set<string>();
  #spare: NodeRecord[] = [];
  /** Peers that were given something to keep: together they keep every placement rule. */
  #takers: readonly NodeRecord[] = [];
  #problem = "nobody may take more under the placement rules";
  #sentBytes = 0;
  #totalBytes = 0;

  constructor(
    parts: PublishParts,
    plan: Plan,
    candidates: readonly Candidate<NodeRecord>[],
    held: Map<number, NodeRecord>,
  ) {
    this.#parts = parts;
    this.#plan = plan;
    this.#candidates = candidates;
    this.#held = held;
  }

  /** Whether every fragment is the pack itself (the small tier). */
  get #wholeCopies(): boolean {
    return this.#plan.dataCount === 1;
  }

  /** Why a peer did not take what it was offered last. */
  get problem(): string {
    return this.#problem;
  }

  /** Sends fragments until each has a holder or nobody is left to ask. @returns the bytes sent */
  async all(
    indices: readonly number[],
    onSent: (event: PublishEvent, provider?: Provider) => void,
    signal: AbortSignal,
  ): Promise<number> {
    this.#totalBytes = indices.length * this.#plan.shardBytes;
    await mapBounded(
      this.#assign(indices),
      this.#parts.parallel ?? TRANSFERS_PARALLEL,
      (assigned, laneSignal) => this.#one(assigned, onSent, laneSignal),
      signal,
    );
    return this.#sentBytes;
  }

  /**
   * Who gets what first, in the order of sending: holders take turns, so that lanes do not all wait for the same one. Whoever
   * holds some from an earlier try counts towards every limit; with coded fragments it takes its turn with the others.
   */
  #assign(
    indices: readonly number[],
  ): { readonly index: number; readonly first: NodeRecord | undefined }[] {
    const load = this.#load();
    const holders = new Map(
      [...this.#held.values()].map((record) => [keyOf(record.id), record]),
    );
    const { assignments, spare } = place<NodeRecord>(
      indices,
      this.#candidates,
      {
        key: keyOfTessera(this.#plan.tesseraId),
        subnetLimit: this.#parts.subnetLimit,
        replicationFactor: REPLICATION_FACTOR,
        perPeerMax: this.#wholeCopies ? 1 : FRAGMENTS_MAX,
        holders: [...holders.values(), ...this.#parts.beside ?? []]
          .map((record) => candidateOf(record)),
      },
    );
    this.#spare = spare;
    this.#takers = [...new Set(assignments.values())];
    if (this.#wholeCopies) {
      return indices.map((index) => ({ index, first: assignments.get(index) }));
    }
    const stillThere = this.#candidates.map(({ contact }) => contact)
      .filter(({ id }) => load.has(keyOf(id)));
    const takers = [...this.#takers, ...stillThere];
    return indices.map((index) => {
      const first = leastLoaded(takers, load);
      if (first !== undefined) addTo(load, first);
      return { index, first };
    });
  }

  /** How many fragments each holder has. */
  #load(): Map<string, number> {
    const load = new Map<string, number>();
    for (const record of this.#held.values()) addTo(load, record);
    return load;
  }

  /** Sends one fragment to its holder, or to another that takes it. */
  async #one(
    { index, first }: {
      readonly index: number;
      readonly first: NodeRecord | undefined;
    },
    onSent: (event: PublishEvent, provider?: Provider) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const tried = new Set<string>();
    for (
      let holder = first;
      holder !== undefined;
      holder = this.#another(tried)
    ) {
      tried.add(keyOf(holder.id));
      const provider = await this.#offer(index, holder, signal);
      if (provider === undefined) {
        this.#refused.add(keyOf(holder.id));
        const reason = this.#problem;
        onSent({ type: "retry", index, holder: holder.id, reason });
        continue;
      }
      await this.#note(index, holder, signal);
      onSent({
        type: "sent",
        index,
        holder: holder.id,
        bytes: this.#plan.shardBytes,
        sentBytes: this.#sentBytes,
        totalBytes: this.#totalBytes,
      }, provider);
      return;
    }
  }

  /**
   * Somebody else for a fragment: a spare peer, which keeps every placement rule; then, for coded fragments, the
   * one with the fewest among those that keep some or will. A second whole copy on one disk would protect nobody.
   */
  #another(tried: ReadonlySet<string>): NodeRecord | undefined {
    const fits = (peer: NodeRecord): boolean =>
      !tried.has(keyOf(peer.id)) && !this.#refused.has(keyOf(peer.id));
    const spareAt = this.#spare.findIndex(fits);
    if (spareAt >= 0) return this.#spare.splice(spareAt, 1)[0];
    if (this.#wholeCopies) return undefined;
    const takers = [...this.#takers, ...this.#held.values()].filter(fits);
    return leastLoaded(takers, this.#load());
  }

  /**
   * Offers a fragment to a peer. @returns its signed word, or `undefined` when it did not take the fragment
   *
   * @throws what went wrong on this side: no other peer could help with that
   */
  async #offer(
    index: number,
    holder: NodeRecord,
    signal: AbortSignal,
  ): Promise<Provider | undefined> {
    const { node, archive, budget, repair } = this.#parts;
    await using fragment = await archive.openFragment(
      this.#plan,
      index,
      signal,
    );
    if (fragment === undefined) {
      throw new TesserasError(
        "missing",
        `Cannot send fragment ${index}: it is not on this disk`,
      );
    }
    const bulk = new FragmentBulk(fragment, budget);
    try {
      using deadline = node.runtime.clock.deadline(
        transferTimeoutMs(fragment.bytes),
        signal,
      );
      const { response } = await node.ask(
        holder,
        {
          type: "put_fragment",
          plan: this.#plan.bytes,
          index,
          bulk: fragment.bytes,
          ...(repair && { repair }),
        },
        { bulk },
        deadline.signal,
      );
      return {
        record: this.#checked(index, holder, response.provider),
        holder,
      };
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      if (bulk.problem !== undefined) throw bulk.problem;
      this.#problem = messageOf(error);
      node.runtime.counters.add("publish.holder_failed");
      return undefined;
    }
  }

  /** A holder's word, once it is about this fragment. @throws `forged`, `malformed`, `refused` */
  #checked(
    index: number,
    holder: NodeRecord,
    bytes: Uint8Array,
  ): ProviderRecord {
    const { records, runtime } = this.#parts.node;
    const record = records.provider(bytes, runtime.clock.nowMs());
    if (
      equal(record.holder, holder.id) &&
      equal(record.tesseraId, this.#plan.tesseraId) &&
      equal(record.planHash, this.#plan.hash) &&
      record.indices.includes(index)
    ) return record;
    runtime.counters.add("publish.misfit");
    throw new TesserasError(
      "forged",
      `Cannot count fragment ${index} as kept: the holder signed for something else`,
    );
  }

  /** Writes down who keeps a fragment, so that a later try goes on from here. */
  async #note(
    index: number,
    holder: NodeRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const { node, state } = this.#parts;
    const nowMs = node.runtime.clock.nowMs();
    await state.care.putPlacements([{
      planHash: this.#plan.hash,
      index,
      holder: holder.id,
      record: holder.bytes,
      bytes: this.#plan.shardBytes,
      ackedAtMs: nowMs,
      lastSeenMs: nowMs,
      lostAtMs: undefined,
      provedSinceMs: nowMs,
    }], signal);
    this.#held.set(index, holder);
    this.#sentBytes += this.#plan.shardBytes;
  }
}

/** Who of some has the fewest, the first among equals. */
function leastLoaded(
  peers: readonly NodeRecord[],
  load: ReadonlyMap<string, number>,
): NodeRecord | undefined {
  const loadOf = (peer: NodeRecord): number => load.get(keyOf(peer.id)) ?? 0;
  let least: NodeRecord | undefined;
  for (const peer of peers) {
    if (least === undefined || loadOf(peer) < loadOf(least)) least = peer;
  }
  return least;
}

function addTo(load: Map<string, number>, { id }: NodeRecord): void {
  load.set(keyOf(id), (load.get(keyOf(id)) ?? 0) + 1);
}

/** A peer as placement sees it. */
export function candidateOf(
  contact: NodeRecord,
  reciprocity = 0,
): Candidate<NodeRecord> {
  const institutional =
    (contact.capabilities & CAPABILITIES.INSTITUTIONAL) !== 0;
  return { contact, institutional, reciprocity };
}
