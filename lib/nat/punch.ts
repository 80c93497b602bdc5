/** Two peers knock at each other's router at one moment: when each attempt goes out, and how long either waits before the first. */
import {
  PUNCH_ATTEMPTS_MS,
  PUNCH_TIMEOUT_MS,
  PUNCH_WAIT_MAX_MS,
  RELAY_AFTER_MS,
} from "@tesseras/core/limits";

/** How long a peer waits after it has heard that it goes ahead. */
export type StartWait = { readonly waitMs: number };

/** Round trips vary; the target is asked to wait so much longer, by share of what it waits, so that there is something left to mend. */
const SLACK_SHARE = 1 / 8;
/** And by this at least. */
const SLACK_MS_MIN = 5;

/**
 * How long the target of a punch waits after it has heard of it, by the introducer's estimates: until the asker has heard the answer.
 * The answer passes the introducer half a round trip of the target later, and reaches the asker after half of its own.
 *
 * Routers that neither drop nor refuse what they did not ask for take the first packet from outside for a new flow, and then give
 * our own another port: so that both first packets must leave before either arrives (measured; RFC 5128, 3.3).
 */
export function targetWaitMs(
  askerRttMs: number,
  targetRttMs: number,
): number {
  const halfMs = (clean(askerRttMs) + clean(targetRttMs)) / 2;
  const slackMs = Math.max(SLACK_MS_MIN, halfMs * SLACK_SHARE);
  return Math.min(PUNCH_WAIT_MAX_MS, Math.ceil(halfMs + slackMs));
}

/**
 * How long the asker waits after it has heard the answer, so that it begins together with the target: what the target still had to wait
 * when the answer passed the introducer, less the asker's half round trip.
 *
 * @param targetTookMs from passing the introduction on to its answer, as the introducer measured it just now
 */
export function askerWaitMs(
  { askerRttMs, targetTookMs, targetWaitMs }: {
    readonly askerRttMs: number;
    readonly targetTookMs: number;
    readonly targetWaitMs: number;
  },
): number {
  const leftMs = targetWaitMs - (clean(targetTookMs) + clean(askerRttMs)) / 2;
  return Math.min(PUNCH_WAIT_MAX_MS, Math.max(0, Math.round(leftMs)));
}

/** What comes next in a punch. */
export type PunchStep =
  /** Dial every address of the peer now, from the port that others see. */
  | { readonly do: "dial"; readonly attempt: number }
  /** Ask a relay beside it; said once. */
  | { readonly do: "relay" }
  | { readonly do: "wait"; readonly ms: number }
  /** Nothing came through. */
  | { readonly do: "giveUp" };

/**
 * One punch from its agreed start: attempts at 0, 300 and 900 ms, a relay asked after 1.5 s, the end after 5 s from the last. A pure
 * state machine: ask {@link Punch.next} at any time, and do what it says.
 */
export class Punch {
  readonly #startMs: number;
  #attempts = 0;
  #relayAsked: boolean;

  /**
   * @param startMs the agreed moment on a monotonic clock; earlier than now means at once
   * @param withRelay whether a relay is there to be asked
   */
  constructor(startMs: number, withRelay: boolean) {
    this.#startMs = startMs;
    this.#relayAsked = !withRelay;
  }

  /** Dials begun so far. */
  get attemptCount(): number {
    return this.#attempts;
  }

  /** What to do now. Attempts that were missed are not made up for: the one that is due comes once. */
  next(nowMs: number): PunchStep {
    const sinceMs = nowMs - this.#startMs;
    const dueCount = PUNCH_ATTEMPTS_MS.filter((at) => at <= sinceMs).length;
    if (dueCount > this.#attempts) {
      this.#attempts = dueCount;
      return { do: "dial", attempt: dueCount - 1 };
    }
    if (!this.#relayAsked && sinceMs >= RELAY_AFTER_MS) {
      this.#relayAsked = true;
      return { do: "relay" };
    }
    const endMs = PUNCH_ATTEMPTS_MS.at(-1)! + PUNCH_TIMEOUT_MS;
    if (sinceMs >= endMs) return { do: "giveUp" };
    const moments = [
      ...PUNCH_ATTEMPTS_MS.slice(this.#attempts),
      ...this.#relayAsked ? [] : [RELAY_AFTER_MS],
      endMs,
    ];
    return { do: "wait", ms: Math.min(...moments) - sinceMs };
  }
}

/** A round trip somebody measured: never negative, never without end. */
function clean(rttMs: number): number {
  return Number.isFinite(rttMs) ? Math.max(0, rttMs) : 2 * PUNCH_WAIT_MAX_MS;
}
