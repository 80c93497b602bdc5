/**
 * What one node knows of one fragment at one holder, and how an answer or a silence changes it. A silence is judged by its
 * length and by how often somebody asked meanwhile, so that neither a night nor a clock that jumps condemns a holder.
 */
import { unreachable } from "@tesseras/core";

/** What is known of a fragment at a holder. Times are Unix milliseconds of the node that knows it. */
export type Standing =
  /** Somebody says that the holder keeps it, maybe itself; it has shown none of its bytes. */
  | { readonly is: "reported"; readonly atMs: number }
  /** The holder gave its word at that time, and has proved it by bytes once, or took them from us. */
  | {
    readonly is: "attested";
    readonly atMs: number;
    /** Since when it has answered without a gap; `atMs` where it is left out. */
    readonly sinceMs?: number;
  }
  /** The holder has proved nothing since. */
  | {
    readonly is: "unproved";
    /** The first failed try after the last proof. Time in which nobody asked is no silence. */
    readonly sinceMs: number;
    readonly triedAtMs: number;
    /** Failed tries, those that came closely together counted once. */
    readonly tryCount: number;
    /** Those of them at which the holder answered a ping and still proved nothing. */
    readonly evasionCount: number;
    /** It has never proved anything to us: there is only somebody's word that it keeps the fragment. */
    readonly neverProved?: true;
  }
  /** It is not there any more, and no waiting brings it back. */
  | { readonly is: "lost"; readonly why: LostWhy; readonly atMs: number };

/** Why a fragment is lost at a holder. */
export type LostWhy =
  /** The holder says that it has it no more. */
  | "said"
  /** The holder answered an audit with bytes that are not those of the fragment. */
  | "failedAudit"
  /** The holder said that it leaves for good. */
  | "left"
  /** We are the holder, and what lies on our disk does not hash. */
  | "corruptLocal";

/** What happened when a holder was asked, or what it said by itself. */
export type Observation =
  /** It answered an audit rightly. */
  | "proved"
  /** It gave its signed word that it keeps it, and nobody asked for more. */
  | "claimed"
  /** It acknowledged the whole fragment as stored just now. */
  | "stored"
  /** Neither the attestation nor a ping was answered, while others were heard. */
  | "unanswered"
  /** The attestation was not answered, a ping was. */
  | "pinged"
  | "saidLost"
  | "failedAudit"
  | "leaving"
  | "corruptLocal";

/** When silence becomes absence. All in milliseconds or counts. */
export type Patience = {
  /** How long silence is forgiven while at least half of a tessera's margin is there. */
  readonly calmGraceMs: number;
  /** How long below that. */
  readonly graceMs: number;
  /** How long when those who answer are only just enough. */
  readonly alarmGraceMs: number;
  readonly trySpacingMs: number;
  readonly triesMin: number;
  readonly evasionsMax: number;
};

/** The patience of a node, each figure with its reason. */
export const PATIENCE_DEFAULTS: Patience = {
  /**
   * A long weekend: most absences end within it. With less, fragments of holders that come back lie there twice, a tenth of all
   * bytes; with more, durability suffers (docs/DURABILITY.md has both).
   */
  calmGraceMs: 4 * 24 * 3_600_000,
  /** A laptop that is used once a day, early today and late tomorrow, is silent for 36 h at most. */
  graceMs: 36 * 3_600_000,
  /** Longer than anybody's night: most of those who are silent for less sleep. */
  alarmGraceMs: 12 * 3_600_000,
  /** Tries closer together say the same: a restart takes minutes, an outage of a line an hour. */
  trySpacingMs: 3_600_000,
  /** With a try every 6 h, a whole day's hours: whoever sleeps when we ask once a day must not look dead. And our clock may have jumped. */
  triesMin: 4,
  /** Overloaded once or twice is honest; three times, hours apart, is somebody who has nothing to show. */
  evasionsMax: 3,
};

/** How often a holder that proves nothing is asked again: four times a day, at hours of the day that differ. */
export const RETRY_UNPROVED_MS = 6 * 3_600_000;

/**
 * What is known after an observation. A failed audit is forgiven only by storing the whole fragment again: somebody who keeps
 * nine tenths of it would answer the next audit rightly more often than not.
 */
export function observe(
  before: Standing | undefined,
  seen: Observation,
  nowMs: number,
  patience: Patience = PATIENCE_DEFAULTS,
): Standing {
  switch (seen) {
    case "stored":
      return { is: "attested", atMs: nowMs, sinceMs: nowMs };
    case "proved":
      if (before?.is === "lost" && isForBytes(before.why)) return before;
      return attested(before, nowMs);
    case "claimed":
      return claimed(before, nowMs);
    case "unanswered":
    case "pinged":
      if (before?.is === "lost") return before;
      return unproved(before, seen, { nowMs, patience });
    case "saidLost":
      return { is: "lost", why: "said", atMs: nowMs };
    case "failedAudit":
      return { is: "lost", why: "failedAudit", atMs: nowMs };
    case "leaving":
      if (before?.is === "lost") return before;
      return { is: "lost", why: "left", atMs: nowMs };
    case "corruptLocal":
      return { is: "lost", why: "corruptLocal", atMs: nowMs };
    default:
      return unreachable(seen);
  }
}

function attested(before: Standing | undefined, nowMs: number): Standing {
  const sinceMs = before?.is === "attested"
    ? before.sinceMs ?? before.atMs
    : nowMs;
  return { is: "attested", atMs: nowMs, sinceMs };
}

/** A word costs nothing, so it renews what was proved once, and proves nothing by itself. */
function claimed(before: Standing | undefined, nowMs: number): Standing {
  switch (before?.is) {
    case undefined:
      return { is: "reported", atMs: nowMs };
    case "reported":
      return before;
    case "attested":
      return attested(before, nowMs);
    case "unproved":
      // Who was there and proved nothing owes bytes now.
      if (before.evasionCount > 0) return before;
      return before.neverProved
        ? { is: "reported", atMs: nowMs }
        : attested(before, nowMs);
    case "lost":
      return isForBytes(before.why) ? before : { is: "reported", atMs: nowMs };
    default:
      return unreachable(before);
  }
}

/** Whether the bytes themselves were seen to be wrong. */
function isForBytes(why: LostWhy): boolean {
  return why === "failedAudit" || why === "corruptLocal";
}

function unproved(
  before: Standing | undefined,
  seen: "unanswered" | "pinged",
  { nowMs, patience }: {
    readonly nowMs: number;
    readonly patience: Patience;
  },
): Standing {
  const evasions = seen === "pinged" ? 1 : 0;
  if (before?.is !== "unproved") {
    return {
      is: "unproved",
      sinceMs: nowMs,
      triedAtMs: nowMs,
      tryCount: 1,
      evasionCount: evasions,
      ...before?.is === "attested" ? {} : { neverProved: true },
    };
  }
  // A clock set back begins the silence anew: too late errs on the cheap side, since others look, too.
  if (nowMs < before.triedAtMs) {
    return { ...before, sinceMs: nowMs, triedAtMs: nowMs };
  }
  if (nowMs - before.triedAtMs < patience.trySpacingMs) return before;
  return {
    ...before,
    triedAtMs: nowMs,
    tryCount: before.tryCount + 1,
    evasionCount: before.evasionCount + evasions,
  };
}

/** How much a fragment at a holder counts for. */
export type Presence =
  /** Proved: it can be fetched now. */
  | "proved"
  /** Taken for there, though nobody proved it lately. */
  | "presumed"
  /** Taken for gone; the holder may still come back with it. */
  | "gone"
  /** Gone for certain. */
  | "lost";

/** A proof counts as fresh for a week, in which every holder looks at least once, and a day. */
export const PROOF_FRESH_MS = 8 * 24 * 3_600_000;

/**
 * How much a standing counts for now, when silence is forgiven for `graceMs`.
 *
 * A mere claim counts only with a newcomer, who has had no time to see a proof. With others it would be enough to bring a claim
 * by a new name every other day to hide that a fragment is gone.
 */
export function presenceOf(
  standing: Standing,
  nowMs: number,
  { graceMs, patience = PATIENCE_DEFAULTS, isNewcomer = true }: {
    readonly graceMs: number;
    readonly patience?: Patience;
    readonly isNewcomer?: boolean;
  },
): Presence {
  switch (standing.is) {
    case "reported":
      return isNewcomer ? "presumed" : "gone";
    case "attested":
      return nowMs - standing.atMs <= PROOF_FRESH_MS ? "proved" : "presumed";
    case "lost":
      // Who left may come back; bytes that are gone do not.
      return standing.why === "left" ? "gone" : "lost";
    case "unproved": {
      if (standing.evasionCount >= patience.evasionsMax) return "gone";
      if (standing.neverProved && !isNewcomer) return "gone";
      const isLong = nowMs - standing.sinceMs >= graceMs &&
        standing.tryCount >= triesFor(graceMs, patience);
      return isLong ? "gone" : "presumed";
    }
    default:
      return unreachable(standing);
  }
}

/** The tries that a grace needs: as many as a full one in proportion, and never one alone. */
function triesFor(graceMs: number, patience: Patience): number {
  const share = Math.min(1, graceMs / patience.graceMs);
  return Math.max(2, Math.ceil(patience.triesMin * share));
}
