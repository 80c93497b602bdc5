/** What a state counts, counted again from its rows. */
import { keyOf, type NodeId } from "@tesseras/core";
import type { FragmentRow, PlanRow, State } from "@tesseras/state";

const never = new AbortController().signal;

/** Whether an account, or the bytes kept for others, disagrees with the fragments of a state. @returns what does */
export async function miscounted(
  state: State,
  fragments: readonly FragmentRow[],
  plans: ReadonlyMap<string, PlanRow>,
): Promise<string | undefined> {
  const owed = new Map<string, { peer: NodeId; bytes: number }>();
  const plansOf = new Set<string>();
  let sum = 0;
  for (const { owner, isRepair, bytes, planHash } of fragments) {
    if (owner === undefined) continue;
    const key = keyOf(owner);
    const before = owed.get(key)?.bytes ?? 0;
    owed.set(key, { peer: owner, bytes: before + (isRepair ? 0 : bytes) });
    sum += bytes;
    const share = `${key} ${keyOf(planHash)}`;
    if (!plansOf.has(share)) sum += plans.get(keyOf(planHash))!.bytes.length;
    plansOf.add(share);
  }
  for (const { peer, bytes } of owed.values()) {
    const weKeepBytes = (await state.care.ledger(peer, never))?.weKeepBytes;
    if ((weKeepBytes ?? 0) === bytes) continue;
    return `an account says ${weKeepBytes}, its fragments are ${bytes}`;
  }
  const stored = await state.storedBytes(undefined, never);
  if (stored === sum) return undefined;
  return `${stored} bytes are counted as kept for others, and are ${sum}`;
}
