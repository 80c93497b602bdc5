/** What senders owe: whether a fragment is charged to who brings it, and whether that is not too much. */
import {
  codeOf,
  equal,
  keyOf,
  type NodeId,
  TesserasError,
} from "@tesseras/core";
import type { Node } from "@tesseras/node";
import { mayAccept, RECIPROCITY_DEFAULTS } from "@tesseras/preservation";
import type { State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord, ProviderRecord } from "@tesseras/wire";
import { RepairProof } from "./repair_proof.ts";

/** What {@link Debts} works with. */
export type DebtParts = {
  readonly node: Node;
  readonly state: Pick<State, "care">;
  /** Bytes a peer may owe. */
  readonly deficitMax: number;
};

/** Watches over what peers owe this node. */
export class Debts {
  readonly #parts: DebtParts;
  readonly #proof: RepairProof;
  /** Bytes on their way that will be owed, by peer. */
  readonly #promised = new Map<string, number>();

  constructor(parts: DebtParts) {
    this.#parts = parts;
    this.#proof = new RepairProof(parts.node);
  }

  /**
   * Whether a sender repairs, and what it brings is no debt of its own: it gives its signed word of now that it keeps some of the
   * same plan, and what can be seen agrees. Where it does not, what it brings is charged like anything else.
   *
   * @throws `forged`, `malformed`, `refused` for a word that is not that; the signal's error
   */
  async isRepair(
    from: NodeRecord,
    { plan, index, word }: {
      readonly plan: Plan;
      readonly index: number;
      readonly word: Uint8Array | undefined;
    },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (word === undefined) return false;
    const record = this.#wordOf(from, plan, word);
    const claim = { from, plan, index, word: record };
    if (await this.#proof.holds(claim, signal)) return true;
    this.#parts.node.runtime.counters.add("fragment.repair_unseen");
    return false;
  }

  #wordOf(from: NodeRecord, plan: Plan, word: Uint8Array): ProviderRecord {
    const { records, runtime } = this.#parts.node;
    try {
      const record = records.provider(word, runtime.clock.nowMs());
      if (
        equal(record.holder, from.id) &&
        equal(record.planHash, plan.hash) &&
        equal(record.tesseraId, plan.tesseraId)
      ) return record;
      throw new TesserasError(
        "forged",
        "Cannot keep a fragment for a repairer: its word is on something else",
      );
    } catch (error) {
      if (codeOf(error) !== undefined) {
        runtime.counters.add("fragment.repair_misfit");
      }
      throw error;
    }
  }

  /**
   * Sets aside what a peer will owe. Dispose what it returns when the fragment is kept, and so owed, or given up.
   *
   * @throws `refused` when it would owe too much
   */
  async promise(
    peer: NodeId,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Disposable> {
    const { node, state, deficitMax } = this.#parts;
    const key = keyOf(peer);
    // Counted before the waiting below, so that two who ask at once see each other.
    const beforeBytes = this.#promised.get(key) ?? 0;
    this.#promised.set(key, beforeBytes + bytes);
    const promise = { [Symbol.dispose]: () => this.#release(key, bytes) };
    try {
      const account = await state.care.ledger(peer, signal);
      const answer = mayAccept(
        {
          theyKeepBytes: account?.theyKeepBytes ?? 0,
          weKeepBytes: (account?.weKeepBytes ?? 0) + beforeBytes,
          isExempt: account?.isInstitutional ?? false,
        },
        bytes,
        // How much one peer may have here at all is told with the space of the disk.
        {
          ...RECIPROCITY_DEFAULTS,
          deficitBytesMax: deficitMax,
          perPeerBytesMax: Infinity,
        },
      );
      if (answer.may) return promise;
      node.runtime.counters.add("fragment.refused_deficit");
      throw new TesserasError(
        "refused",
        `Cannot keep ${bytes} bytes: this peer may owe ${deficitMax} bytes, ${answer.roomBytes} of them are left; what it keeps for this node makes room`,
      );
    } catch (error) {
      promise[Symbol.dispose]();
      throw error;
    }
  }

  #release(key: string, bytes: number): void {
    const left = (this.#promised.get(key) ?? 0) - bytes;
    if (left > 0) this.#promised.set(key, left);
    else this.#promised.delete(key);
  }
}
