/** Striking out a fragment of which the bytes are bad or gone, so that it is made anew soon, after a restart too. */
import type { Clock } from "@tesseras/core";
import type { FragmentRow, State } from "@tesseras/state";

/** Strikes a fragment out: nobody is told any more that it is kept. What was kept for others is to be healed at once. @throws as the state */
export async function strikeOut(
  { state, clock }: { readonly state: State; readonly clock: Clock },
  { planHash, index, owner }: FragmentRow,
  signal: AbortSignal,
): Promise<void> {
  if (owner === undefined) {
    await state.removeFragment(planHash, index, signal);
    return;
  }
  const nowMs = clock.nowMs();
  await state.care.strikeOut({ planHash, index }, nowMs, signal);
  const watch = await state.care.watch(planHash, signal) ?? {
    planHash,
    dueAtMs: nowMs,
    state: "idle",
    sinceMs: nowMs,
    attempts: 0,
    detail: "",
    watchedSinceMs: nowMs,
  };
  const dueAtMs = Math.min(watch.dueAtMs, nowMs);
  await state.care.putWatch({ ...watch, dueAtMs }, signal);
}
