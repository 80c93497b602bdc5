/** Whether a tessera's creator has asked everybody to forget it: then nobody keeps it alive. */
import type { State } from "@tesseras/state";
import { creatorOf, type Plan } from "@tesseras/tessera";
import type { Node } from "./node.ts";

/** Whether a tombstone that we know of counts for a plan now. @throws as the state */
export async function isForgotten(
  { node, state }: { readonly node: Node; readonly state: Pick<State, "care"> },
  { tesseraId, publicKeys }: Plan,
  signal: AbortSignal,
): Promise<boolean> {
  const key = { tesseraId, creator: creatorOf(publicKeys) };
  const row = await state.care.tombstone(key, signal);
  return row !== undefined &&
    row.expiresAtMs > node.runtime.clock.nowMs();
}
