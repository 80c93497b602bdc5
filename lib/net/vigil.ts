/** Watching a session while something is asked on it, because QUIC cannot tell us that a peer was started again. */
import { type Clock, codeOf, Tasks } from "@tesseras/core";
import type { Live } from "./pool.ts";

/** How often is looked whether something is asked again while a dial for an earlier question goes on. */
const LOOK_MS = 250;

/** What a watch may do. */
export type VigilParts = {
  readonly clock: Clock;
  /** When the latest question was sent that any peer has answered. */
  readonly provenMs: () => number;
  /** Another session of the same peer that was heard since something was asked on this one. */
  readonly another: (live: Live) => Live | undefined;
  /** Asks something that whoever is there answers at once. */
  readonly ping: (live: Live, signal: AbortSignal) => Promise<void>;
  /** Opens another session with the same peer. */
  readonly dial: (live: Live, signal: AbortSignal) => Promise<Live>;
  /** Closes a session whose peer is not there any more: what is asked on it fails as `unreachable`. */
  readonly giveUp: (live: Live) => void;
};

/** Watches a session until nothing is asked on it any more, or it is given up. One watch at a time; clears `live.watched`. */
export async function keepVigil(
  live: Live,
  parts: VigilParts,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = parts;
  await using scope = new Tasks(signal);
  let pinging = false;
  for (;;) {
    const nowMs = clock.monotonicMs();
    const step = live.silence.next(nowMs, parts.provenMs());
    switch (step.do) {
      case "rest":
        if (scope.runningCount === 0) {
          live.watched = false;
          return;
        }
        await clock.sleep(LOOK_MS, scope.signal);
        break;
      case "wait":
        await clock.sleep(step.ms, scope.signal);
        break;
      case "ping":
        live.silence.pinged(nowMs);
        // One that waits for a stream shows nothing yet, and another would wait behind it.
        if (pinging) break;
        pinging = true;
        scope.spawn(async (pingSignal) => {
          // The session hears, and that is all there is to know.
          await quietly(parts.ping(live, pingSignal));
          pinging = false;
        });
        break;
      case "dial":
        live.silence.dialled(nowMs);
        // A dial that tries many addresses may still be under way.
        if (live.isDoubted) break;
        scope.spawn((dialSignal) => replace(live, parts, dialSignal));
        break;
      case "end":
        return parts.giveUp(live);
    }
  }
}

/**
 * Gives a session up once the peer answers on another one, unless it is heard on this one first. A handshake alone would not do:
 * a peer that is slow at everything would lose the answers it works on.
 */
async function replace(
  live: Live,
  parts: VigilParts,
  signal: AbortSignal,
): Promise<void> {
  using doubt = live.doubt();
  const open = AbortSignal.any([signal, doubt.signal]);
  const proving = async (): Promise<void> => {
    const other = parts.another(live) ?? await parts.dial(live, open);
    await parts.ping(other, open);
  };
  if (await quietly(proving()) && live.isDoubted) parts.giveUp(live);
}

/** Whether something went well; that it did not is no news, for nothing rests on it. */
async function quietly(trying: Promise<void>): Promise<boolean> {
  try {
    await trying;
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}
