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
import type { NodeRecord } from "@tesseras/wire";

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
  /** Bytes on their way that will be owed, by peer. */
  readonly #promised = new Map<string, number>();

  constructor(parts: DebtParts) {
    this.#parts = parts;
  }

  /**
   * Whether a sender repairs: it keeps some of the same plan itself, by its own signed word of now, and what it asks for others is
   * no debt of its own.
   *
   * @throws `forged`, `malformed`, `refused` for a word that is not that
   */
  isRepair(
    from: NodeRecord,
    plan: Plan,
    word: Uint8Array | undefined,
  ): boolean {
    if (word === undefined) return false;
    const { records, runtime } = this.#parts.node;
    try {
      const record = records.provider(word, runtime.clock.nowMs());
      if (
        equal(record.holder, from.id) &&
        equal(record.planHash, plan.hash) &&
        equal(record.tesseraId, plan.tesseraId)
      ) return true;
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
