/** What a node does when the ground moves under it: another network, another address, waking from sleep. */

/** Why the node takes its network for changed. */
export type RoamCause =
  /** The addresses of its interfaces are others. */
  | "interfaces"
  /** Peers see it elsewhere. */
  | "observed"
  /** The machine slept. */
  | "woke"
  /** The embedding application says so. */
  | "told";

/** Where in the reconnection a node is (user guide, "Mobile reconnection"). */
export type RoamPhase =
  | "steady"
  /** Every connection is asked whether it lives on from the new address: QUIC moves with its packets (RFC 9000, 9). */
  | "migrating"
  /** The outer address is learned anew and told to others. */
  | "learning"
  /** What did not survive is dialled again, the most needed first. */
  | "reestablishing";

/** What an embedder hears. */
export type NetworkChanged = {
  readonly phase: RoamPhase;
  readonly cause: RoamCause;
  /** Milliseconds since the change. */
  readonly sinceMs: number;
};

/** What to do next. */
export type RoamStep =
  /** A phase has begun: do its work, and tell those who listen. */
  | { readonly do: "enter"; readonly phase: RoamPhase }
  | { readonly do: "wait"; readonly ms: number }
  /** Nothing has changed lately. */
  | { readonly do: "rest" };

/** When each phase ends at the latest, in milliseconds from the change (user guide: 0-2, 2-5 and 5-10 s). */
export const ROAM_ENDS_MS = {
  migrating: 2_000,
  learning: 5_000,
  reestablishing: 10_000,
} as const;

const NEXT = {
  migrating: "learning",
  learning: "reestablishing",
  reestablishing: "steady",
} as const;

/** The three phases as a state machine: ask {@link Roaming.next} and do what it says. Times on a monotonic clock. */
export class Roaming {
  #phase: RoamPhase = "steady";
  #cause: RoamCause = "told";
  #changedMs = 0;
  #isEntered = true;

  get phase(): RoamPhase {
    return this.#phase;
  }

  /** The network changed. In the middle of a reconnection it begins anew: what was learned since is about a network that is gone. */
  changed(cause: RoamCause, nowMs: number): void {
    this.#cause = cause;
    this.#changedMs = nowMs;
    this.#enter("migrating");
  }

  /** The work of a phase is done before its time; news of another phase is late and changes nothing. */
  done(phase: RoamPhase): void {
    if (phase === this.#phase && phase !== "steady") this.#enter(NEXT[phase]);
  }

  /** What to do now. */
  next(nowMs: number): RoamStep {
    if (!this.#isEntered) {
      this.#isEntered = true;
      return { do: "enter", phase: this.#phase };
    }
    if (this.#phase === "steady") return { do: "rest" };
    const leftMs = this.#changedMs + ROAM_ENDS_MS[this.#phase] - nowMs;
    if (leftMs > 0) return { do: "wait", ms: leftMs };
    this.#enter(NEXT[this.#phase]);
    return this.next(nowMs);
  }

  /** What those who listen are told now. */
  event(nowMs: number): NetworkChanged {
    return {
      phase: this.#phase,
      cause: this.#cause,
      sinceMs: Math.max(0, nowMs - this.#changedMs),
    };
  }

  #enter(phase: RoamPhase): void {
    this.#phase = phase;
    this.#isEntered = false;
  }
}

/** A peer whose connection did not survive. */
export type LostPeer = {
  /** Its id as text. */
  readonly id: string;
  /** Whether it lets newcomers in. */
  readonly isBootstrap: boolean;
  /** Fragments of ours that it keeps. */
  readonly keepsOursCount: number;
  /** Fragments of its that we keep. */
  readonly weKeepCount: number;
};

/** The order in which lost peers are dialled again (user guide): bootstraps, who keeps ours, whose we keep, then the rest. */
export function reconnectOrder(
  lost: readonly LostPeer[],
): readonly LostPeer[] {
  return [...lost].sort((one, other) =>
    classOf(one) - classOf(other) ||
    other.keepsOursCount - one.keepsOursCount ||
    other.weKeepCount - one.weKeepCount || (one.id < other.id ? -1 : 1)
  );
}

function classOf(peer: LostPeer): number {
  if (peer.isBootstrap) return 0;
  if (peer.keepsOursCount > 0) return 1;
  return peer.weKeepCount > 0 ? 2 : 3;
}

/** Both clocks at one moment. */
export type Moment = {
  readonly unixMs: number;
  readonly monotonicMs: number;
};

/** A regular look that comes so much too late was slept through: a busy machine is late by less. */
const SLEPT_MS_MIN = 10_000;

/**
 * How long the machine slept between two looks that were to be `everyMs` apart; 0 when it did not. Some systems stop the monotonic clock
 * in sleep, and a wall clock may be set: either alone tells.
 */
export function sleptMs(
  before: Moment,
  now: Moment,
  everyMs: number,
): number {
  const passedMs = Math.max(
    now.unixMs - before.unixMs,
    now.monotonicMs - before.monotonicMs,
  );
  const lateMs = passedMs - everyMs;
  return lateMs >= SLEPT_MS_MIN ? lateMs : 0;
}

/** Whether a node's interfaces have other addresses than before; their order says nothing. */
export function interfacesChanged(
  before: readonly string[],
  now: readonly string[],
): boolean {
  const known = new Set(before);
  const current = new Set(now);
  return known.size !== current.size || now.some((ip) => !known.has(ip));
}
