/** Lookups of a node as events of a call, for `tes --trace`. */
import { formatAddress, toHex } from "@tesseras/core";
import type { Hop, LookupTrace, Node } from "@tesseras/node";
import type { Json, JsonObject } from "./control_frames.ts";

/**
 * Emits every lookup the node makes until disposed, when the call asks for it with `trace: true`. One lookup is one event, of
 * some 200 bytes a question.
 */
export function watchLookups(
  node: Node,
  parameters: JsonObject,
  emit: (event: JsonObject) => void,
): Disposable | undefined {
  if (parameters.trace !== true) return undefined;
  return node.lookups.watch((trace) => emit(eventOf(trace)));
}

function eventOf(trace: LookupTrace): JsonObject {
  return {
    type: "lookup",
    target: toHex(trace.target),
    tookMs: rounded(trace.tookMs),
    hops: trace.hops,
    foundCount: trace.foundCount,
    questions: trace.questions.map(questionOf),
  };
}

function questionOf(hop: Hop): Json {
  return {
    path: hop.path,
    depth: hop.depth,
    id: toHex(hop.id),
    address: hop.address ? formatAddress(hop.address) : null,
    from: hop.from ? toHex(hop.from) : null,
    outcome: hop.outcome,
    reason: hop.reason ?? null,
    askedMs: rounded(hop.askedMs),
    endedMs: hop.endedMs === undefined ? null : rounded(hop.endedMs),
    learnedCount: hop.learnedCount,
  };
}

/** To a tenth of a millisecond. */
function rounded(ms: number): number {
  return Math.round(10 * ms) / 10;
}
