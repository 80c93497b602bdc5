/** Why requests of ours got no answer, as an operator sees it. */
import { type Counters, type ErrorCode, groupOf } from "@tesseras/core";

/** Counts a request that failed, and once more by what its failure says of the peer. */
export function countFailure(
  counters: Counters,
  code: ErrorCode | undefined,
): void {
  counters.add("rpc.failed");
  if (code === undefined) return;
  if (code === "timeout") return counters.add("rpc.answer_late");
  if (code === "overloaded") return counters.add("rpc.answer_overloaded");
  if (groupOf(code) === "distrust") counters.add("rpc.answer_distrusted");
}
