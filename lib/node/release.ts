/** Letting go of a fragment that a nearer holder keeps, too. */
import { toHex } from "@tesseras/core";
import { SAMPLING_DEFAULTS } from "@tesseras/preservation";
import type { State } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { audit } from "./audit.ts";
import type { Node } from "./node.ts";

/** A fragment of ours that is too many, and who keeps it, too. */
export type Spare = { readonly index: number; readonly keeper: NodeRecord };

/**
 * Lets go of a fragment once its other holder has proved it as thoroughly as a week of looks would. Its bytes are left to the sweep.
 *
 * @throws as the state; the signal's error
 */
export async function release(
  { node, state }: { readonly node: Node; readonly state: State },
  plan: Plan,
  { index, keeper }: Spare,
  signal: AbortSignal,
): Promise<boolean> {
  for (let time = 0; time < SAMPLING_DEFAULTS.auditCount; time++) {
    const { outcome } = await audit(node, keeper, plan, index, signal);
    if (outcome !== "passed") return false;
  }
  await state.removeFragment(plan.hash, index, signal);
  const { counters, log } = node.runtime;
  counters.add("care.released");
  log.info("fragment.released", {
    tessera: toHex(plan.tesseraId),
    index,
    keeper: toHex(keeper.id),
  });
  return true;
}
