/** What a lookup did, question by question, for whoever wants to see it. */
import {
  type Address,
  type ErrorCode,
  keyOf,
  type NodeId,
} from "@tesseras/core";
import type { PathQuestion } from "@tesseras/kad";
import type { NodeRecord } from "@tesseras/wire";

/** One question of a lookup. */
export type Hop = PathQuestion & {
  /** Where the peer was reached, or would have been; `undefined` for one without addresses. */
  readonly address: Address | undefined;
  /** Milliseconds since the lookup began. */
  readonly askedMs: number;
  /** When the answer came, or the end of waiting for it; `undefined` when the lookup was over before. */
  readonly endedMs: number | undefined;
  /** Why there is no answer. */
  readonly reason: ErrorCode | undefined;
};

/** A lookup that ended. */
export type LookupTrace = {
  readonly target: NodeId;
  readonly tookMs: number;
  /** Steps from us to the closest peer. */
  readonly hops: number;
  readonly foundCount: number;
  /** In order of asking. */
  readonly questions: readonly Hop[];
};

/** Those who want to hear of every lookup of a node. */
export class LookupWatchers {
  readonly #listeners = new Set<(trace: LookupTrace) => void>();

  /** Calls back with every lookup that ends, however it did, until disposed. The listener must not throw. */
  watch(listener: (trace: LookupTrace) => void): Disposable {
    // The same listener may watch twice.
    const own = (trace: LookupTrace): void => listener(trace);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** Tells everybody of a lookup. */
  tell(trace: LookupTrace): void {
    for (const listener of [...this.#listeners]) listener(trace);
  }
}

type Times = {
  address: Address | undefined;
  readonly askedMs: number;
  endedMs?: number;
  reason?: ErrorCode | undefined;
};

/** Notes the times of a lookup's questions, which its decisions do not need. As many as the lookup asks. */
export class TraceNotes {
  readonly #times = new Map<string, Times>();

  /** Notes a question to a peer. */
  asked(peer: NodeRecord, askedMs: number): void {
    const times = { address: peer.addresses[0], askedMs };
    this.#times.set(keyOf(peer.id), times);
  }

  /** Notes how one ended: `address` is where the peer was reached, if it was. */
  ended(
    id: NodeId,
    endedMs: number,
    how: {
      readonly address?: Address | undefined;
      readonly reason?: ErrorCode | undefined;
    },
  ): void {
    const times = this.#times.get(keyOf(id));
    if (times === undefined) return;
    times.endedMs = endedMs;
    times.address = how.address ?? times.address;
    times.reason = how.reason;
  }

  /** The questions with their times. A fresh list. */
  hops(questions: readonly PathQuestion[]): readonly Hop[] {
    return questions.map((question) => {
      const times = this.#times.get(keyOf(question.id));
      return {
        ...question,
        address: times?.address,
        askedMs: times?.askedMs ?? 0,
        endedMs: times?.endedMs,
        reason: times?.reason,
      };
    });
  }
}
