/** Saying something at most so often. */
import type { Clock } from "@tesseras/core";

/** A function that is true at its first call, and then at most once every `ms`. */
export function everyMs(ms: number, clock: Clock): () => boolean {
  let nextMs = -Infinity;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs < nextMs) return false;
    nextMs = nowMs + ms;
    return true;
  };
}
