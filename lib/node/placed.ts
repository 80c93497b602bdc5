/** Whom to ask about a placement: the holder's record as it was written down. */
import { codeOf, type NodeId } from "@tesseras/core";
import { type NodeRecord, readNodeRecord } from "@tesseras/wire";
import type { Node } from "./node.ts";

/** What was written down of one holder. */
export type Placed = {
  readonly holder: NodeId;
  readonly record: Uint8Array;
  readonly ackedAtMs: number;
  readonly lastSeenMs: number;
};

/** The record of a holder, from any of its placements; `undefined` when none can be read, and then nobody can be asked by them. */
export function placedAt(
  node: Node,
  placements: readonly Placed[],
): NodeRecord | undefined {
  for (const { record, lastSeenMs, ackedAtMs } of placements) {
    // Good at the time of its word; that it has run out since takes nothing back.
    for (const nowMs of new Set([ackedAtMs, lastSeenMs])) {
      try {
        return readNodeRecord(record, { nowMs, powBits: node.powBits });
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      }
    }
  }
  if (placements.length > 0) {
    node.runtime.counters.add("publish.placement_unreadable");
  }
  return undefined;
}
