/** What a simulated world is made of. */
import { GIB, MIB } from "@tesseras/core/limits";
import {
  type Coding,
  type Pace,
  PACE_DEFAULTS,
  type Patience,
  PATIENCE_DEFAULTS,
  RETRY_UNPROVED_MS,
} from "@tesseras/preservation";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const YEAR_MS = 365.25 * DAY_MS;

/** Tesseras of one size. */
export type Tier = Coding & {
  readonly name: string;
  readonly packBytes: number;
  readonly count: number;
};

/** How holders come and go. */
export type Habits = {
  /** The share of all holders that are switched off at night, each at its own. */
  readonly nightShare: number;
  readonly nightMs: number;
  /** Mean time between two longer absences, and how long they last on average; exponential, both. */
  readonly betweenAbsencesMs: number;
  readonly absenceMs: number;
};

/** A world. */
export type Options = {
  readonly seed: number;
  readonly years: number;
  readonly holders: number;
  /** The chance that a holder is lost for good within a month. */
  readonly monthlyLoss: number;
  readonly tiers: readonly Tier[];
  readonly habits: Habits;
  /** Networks of 65,536 addresses the holders are spread over, each with as many /24. */
  readonly wideNetworks: number;
  readonly subnetsInEach: number;
  /** Kills the most populous wide network at once, halfway. */
  readonly disaster: boolean;
  readonly patience: Patience;
  readonly pace: Pace;
  readonly retryMs: number;
};

/** Whole copies, 16 + 8 and 48 + 24, of typical sizes. */
export const TIERS: readonly Tier[] = [
  { name: "small", dataCount: 1, parityCount: 6, packBytes: MIB, count: 50 },
  {
    name: "medium",
    dataCount: 16,
    parityCount: 8,
    packBytes: 64 * MIB,
    count: 44,
  },
  {
    name: "large",
    dataCount: 48,
    parityCount: 24,
    packBytes: GIB / 2,
    count: 6,
  },
];

/** Two holders of five sleep eight hours; everybody is away for longer four times a year, for a day and a half on average. */
export const HABITS: Habits = {
  nightShare: 0.4,
  nightMs: 8 * HOUR_MS,
  betweenAbsencesMs: YEAR_MS / 4,
  absenceMs: 1.5 * DAY_MS,
};

/** Nobody is ever away, except for good. */
export const ALWAYS_THERE: Habits = {
  nightShare: 0,
  nightMs: 0,
  betweenAbsencesMs: Infinity,
  absenceMs: 0,
};

export const DEFAULTS: Options = {
  seed: 1,
  years: 10,
  holders: 200,
  monthlyLoss: 0.05,
  tiers: TIERS,
  habits: HABITS,
  wideNetworks: 16,
  subnetsInEach: 16,
  disaster: false,
  patience: PATIENCE_DEFAULTS,
  pace: PACE_DEFAULTS,
  retryMs: RETRY_UNPROVED_MS,
};
