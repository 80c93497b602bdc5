/** Whose fault a silence is: a peer's, our own line's, or a record's that sent us to the wrong place. Decides only. */
import { type ErrorCode, keyOf, type NodeId } from "@tesseras/core";
import { DIAL_FAILURES_MAX } from "@tesseras/core/limits";

/** Whether the end of a question speaks against the peer: silence, somebody else at its address, an answer that is none. A refusal is an answer. */
export function speaksAgainst(code: ErrorCode | undefined): boolean {
  return code === "timeout" || code === "unreachable" || code === "forged" ||
    code === "malformed";
}

/**
 * The record to ask a peer by. Anybody may hand on an old one that has not run out; where it leads nobody is, and
 * asking there would cost an honest peer that has moved its place in the table.
 */
export function latestOf<R extends { readonly sequence: number }>(
  named: R,
  known: R | undefined,
): R {
  return known !== undefined && known.sequence > named.sequence ? known : named;
}

/**
 * Knows when anybody was last heard of. Times are of a monotonic clock.
 *
 * When our own line is down every peer is silent; counting that against them would empty the routing table within
 * seconds, and with it the way back.
 */
export class Uplink {
  #heardMs = -Infinity;
  /** When each peer was last blamed, oldest first. */
  readonly #blamed = new Map<string, number>();

  /** Notes that something of a peer reached us, whoever it was. */
  heard(nowMs: number): void {
    this.#heardMs = Math.max(this.#heardMs, nowMs);
  }

  /**
   * Whether a question that failed counts against the peer. Not unless somebody was heard of since it was asked, so a question
   * that was never sent does not either; and questions that met the same silence together count once.
   */
  blames(id: NodeId, askedMs: number, nowMs: number): boolean {
    if (this.#heardMs <= askedMs) return false;
    const key = keyOf(id);
    const blamedMs = this.#blamed.get(key);
    if (blamedMs !== undefined && askedMs < blamedMs) return false;
    this.#blamed.delete(key);
    this.#blamed.set(key, nowMs);
    if (this.#blamed.size > DIAL_FAILURES_MAX) {
      const [oldest] = this.#blamed.keys();
      this.#blamed.delete(oldest!);
    }
    return true;
  }
}
