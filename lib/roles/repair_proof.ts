/**
 * Whether somebody repairs, as far as a stranger to the tessera can see: it shows that it keeps some of it, others show that they
 * keep most of the rest, and nobody has what it brings. So nobody gets more for nothing than what it has paid for already, or
 * keeps itself under other names.
 */
import { codeOf, equal, keyOf, Semaphore, shuffled } from "@tesseras/core";
import { PEERS_PER_SUBNET_MAX } from "@tesseras/core/limits";
import {
  attest,
  audit,
  findProviders,
  type Node,
  type Provider,
} from "@tesseras/node";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord, ProviderRecord } from "@tesseras/wire";
import { Turns } from "./turns.ts";

/** What somebody brings and calls a repair. */
export type RepairClaim = {
  readonly from: NodeRecord;
  readonly plan: Plan;
  /** The fragment it brings. */
  readonly index: number;
  /** Its word on what it keeps of the plan itself. */
  readonly word: ProviderRecord;
};

/** How long a look may take: its octets wait meanwhile, and must not look stalled. */
const LOOK_MS_MAX = 8_000;
/** Looks at once: each is a lookup and a few audits. */
const LOOKS_PARALLEL = 4;
/** How long what was seen of one sender and plan counts: as long as its word. */
const REMEMBERED_MS = 3_600_000;
/** Senders and plans remembered, 200 bytes each. */
const REMEMBERED_MAX = 1_024;
/** Holders drawn by lot to prove that they are there. */
const DRAWN = 3;
/** How many of them must: some have died, or there would be nothing to repair. */
const PROVED_MIN = 2;
/** Holders asked whether they keep what is brought. */
const RIVALS_MAX = 2;

/** What was seen of a sender and a plan. */
type Seen = {
  readonly untilMs: number;
  /** Those that say they keep some of the plan beside the sender; `undefined` when too few could be seen. */
  readonly others: readonly Provider[] | undefined;
};

/** Looks at those who say that they repair. */
export class RepairProof {
  readonly #node: Node;
  readonly #seen = new Map<string, Seen>();
  readonly #looks = new Semaphore(LOOKS_PARALLEL);
  /** One look at a time for each subnet, so that nobody keeps others from theirs. */
  readonly #askers = new Turns();

  constructor(node: Node) {
    this.#node = node;
  }

  /** Whether a claim holds, as far as can be seen in a few seconds. @throws the signal's error */
  async holds(claim: RepairClaim, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#node.runtime;
    using deadline = clock.deadline(LOOK_MS_MAX, signal);
    try {
      const others = await this.#othersOf(claim, deadline.signal);
      return others !== undefined &&
        await this.#isMissing(claim, others, deadline.signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      return false;
    }
  }

  async #othersOf(
    claim: RepairClaim,
    signal: AbortSignal,
  ): Promise<readonly Provider[] | undefined> {
    using _turn = await this.#askers.enter(this.#askerOf(claim.from), signal);
    const { clock } = this.#node.runtime;
    const key = `${keyOf(claim.from.id)} ${keyOf(claim.plan.hash)}`;
    const known = this.#seen.get(key);
    if (known !== undefined && clock.monotonicMs() < known.untilMs) {
      return known.others;
    }
    using _place = await this.#looks.enter(signal);
    const others = await this.#look(claim, signal);
    this.#seen.delete(key);
    this.#seen.set(key, {
      untilMs: clock.monotonicMs() + REMEMBERED_MS,
      others,
    });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > REMEMBERED_MAX) this.#seen.delete(oldest!);
    return others;
  }

  #askerOf(from: NodeRecord): string {
    const node = this.#node;
    if (node.subnetPeersMax === undefined) return keyOf(from.id);
    return node.asMet(from).subnet ?? keyOf(from.id);
  }

  /** The others that keep some of the plan, once the sender and some of them have shown it, and they are enough. */
  async #look(
    claim: RepairClaim,
    signal: AbortSignal,
  ): Promise<readonly Provider[] | undefined> {
    const { from, plan, index, word } = claim;
    const node = this.#node;
    const own = word.indices.filter((one) =>
      one !== index && one < plan.fragments.length
    );
    if (own.length === 0) return undefined;
    const shown = own[node.runtime.random.below(own.length)]!;
    if (!await this.#proves(from, { plan, index: shown }, signal)) {
      return undefined;
    }
    const found = await findProviders(node, plan.tesseraId, signal);
    const others = found.filter(({ record, holder }) =>
      equal(record.planHash, plan.hash) && !equal(holder.id, from.id) &&
      !equal(holder.id, node.id)
    );
    const counted = this.#spread(others);
    const kept = new Set([
      ...own,
      ...counted.flatMap(({ record }) => record.indices),
    ]);
    const enough = Math.max(plan.dataCount, plan.fragments.length / 2);
    if (kept.size < enough) return undefined;
    return await this.#someProve(plan, counted, signal) ? others : undefined;
  }

  /** At most as many of one subnet as placement allows, by lot: names are cheap, and networks are not. */
  #spread(others: readonly Provider[]): readonly Provider[] {
    const node = this.#node;
    const drawn = shuffled(others, node.runtime.random);
    if (node.subnetPeersMax === undefined) return drawn;
    const counts = new Map<string, number>();
    return drawn.filter(({ holder }) => {
      const subnet = node.asMet(holder).subnet;
      if (subnet === undefined) return true;
      const count = (counts.get(subnet) ?? 0) + 1;
      counts.set(subnet, count);
      return count <= PEERS_PER_SUBNET_MAX;
    });
  }

  async #someProve(
    plan: Plan,
    counted: readonly Provider[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { random } = this.#node.runtime;
    const drawn = counted.slice(0, DRAWN);
    const proved = await Promise.all(drawn.map(({ holder, record }) => {
      const index = record.indices[random.below(record.indices.length)]!;
      return this.#proves(holder, { plan, index }, signal);
    }));
    const least = Math.min(PROVED_MIN, drawn.length);
    return least > 0 && proved.filter(Boolean).length >= least;
  }

  async #proves(
    holder: NodeRecord,
    { plan, index }: { readonly plan: Plan; readonly index: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (index >= plan.fragments.length) return false;
    const { outcome } = await audit(this.#node, holder, plan, index, signal);
    return outcome === "passed";
  }

  /** Whether none of those who were said to keep what is brought says so itself. */
  async #isMissing(
    { plan: { hash, tesseraId }, index }: RepairClaim,
    others: readonly Provider[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const rivals = others.filter(({ record }) => record.indices.includes(index))
      .slice(0, RIVALS_MAX);
    const words = await Promise.all(
      rivals.map(({ holder }) =>
        attest(this.#node, holder, { hash, tesseraId }, signal)
      ),
    );
    return !words.some((word) =>
      word.answer === "keeps" && word.indices.includes(index)
    );
  }
}
