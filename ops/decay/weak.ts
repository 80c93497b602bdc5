/**
 * Worlds so bad that tesseras are lost, to compare what happens with what the model of loss says. Nobody sleeps in them and
 * nobody returns: the model knows no absences.
 */
import {
  estimateLoss,
  type LossAssumptions,
  type Patience,
  perYearOfMonthly,
  TURN_DEFAULTS,
  turnMs,
} from "@tesseras/preservation";
import { MIB } from "@tesseras/core/limits";
import { lossRateOf, rounded } from "./figures.ts";
import {
  ALWAYS_THERE,
  DAY_MS,
  DEFAULTS,
  type Options,
  type Tier,
} from "./options.ts";
import { live } from "./world.ts";

/** A bad world, many times. */
export type Weakness = {
  readonly name: string;
  readonly tier: Tier;
  readonly monthlyLoss: number;
  /** The interval of looks; everything else keeps its proportion to it. */
  readonly intervalDays: number;
  readonly years: number;
  readonly holders: number;
};

/** What happened beside what was foretold. */
export type Comparison = {
  readonly name: string;
  readonly worlds: number;
  readonly losses: number;
  readonly tesseraYears: number;
  readonly measuredPerYear: number;
  /** One standard error, from how much the worlds differ: tesseras of one world share holders and are no independent trials. */
  readonly standardError: number;
  readonly modelPerYear: number;
  readonly measuredOfModel: number;
  readonly assumptions: LossAssumptions;
};

function tier(name: string, dataCount: number, parityCount: number): Tier {
  return { name, dataCount, parityCount, packBytes: MIB, count: 24 };
}

/** From very bad to merely bad, with copies and codes. */
export const WEAKNESSES: readonly Weakness[] = [
  {
    name: "4+2, 20 % a month, looks every 5 days",
    tier: tier("weak", 4, 2),
    monthlyLoss: 0.2,
    intervalDays: 5,
    years: 2,
    holders: 60,
  },
  {
    name: "4+2, 10 % a month, looks every 3 days",
    tier: tier("weak", 4, 2),
    monthlyLoss: 0.1,
    intervalDays: 3,
    years: 6,
    holders: 60,
  },
  {
    name: "3 copies, 20 % a month, looks every 5 days",
    tier: tier("copies", 1, 2),
    monthlyLoss: 0.2,
    intervalDays: 5,
    years: 4,
    holders: 60,
  },
  {
    name: "8+8 mended at 3 lost, 30 % a month, looks every 10 days",
    tier: tier("wide", 8, 8),
    monthlyLoss: 0.3,
    intervalDays: 10,
    years: 4,
    holders: 80,
  },
];

/** Lets as many worlds pass as asked for, and compares. */
export function compare(
  weakness: Weakness,
  worlds: number,
  seed: number,
): Comparison {
  const options = optionsOf(weakness);
  const rates: { losses: number; tesseraYears: number }[] = [];
  for (let world = 0; world < worlds; world++) {
    rates.push(lossRateOf(live({ ...options, seed: seed * 10_000 + world })));
  }
  const losses = sum(rates.map((rate) => rate.losses));
  const tesseraYears = sum(rates.map((rate) => rate.tesseraYears));
  const measured = losses / tesseraYears;
  // Of a ratio of sums (Cochran, Sampling Techniques, 6.3).
  const deviations = rates.map((rate) =>
    (rate.losses - measured * rate.tesseraYears) ** 2
  );
  const error = Math.sqrt(sum(deviations) * worlds / (worlds - 1)) /
    tesseraYears;
  const assumptions = assumptionsOf(weakness);
  const { modelLossesPerYear } = estimateLoss(weakness.tier, assumptions);
  return {
    name: weakness.name,
    worlds,
    losses,
    tesseraYears: rounded(tesseraYears),
    measuredPerYear: rounded(measured),
    standardError: rounded(error),
    modelPerYear: rounded(modelLossesPerYear),
    measuredOfModel: rounded(measured / modelLossesPerYear),
    assumptions,
  };
}

function optionsOf(weakness: Weakness): Options {
  const intervalMs = weakness.intervalDays * DAY_MS;
  return {
    ...DEFAULTS,
    years: weakness.years,
    holders: weakness.holders,
    monthlyLoss: weakness.monthlyLoss,
    tiers: [weakness.tier],
    habits: ALWAYS_THERE,
    // One holder in each network, as good as: what fails together is no part of the comparison.
    wideNetworks: 250,
    subnetsInEach: 250,
    pace: { intervalMs, jitterMs: intervalMs / 12 },
    patience: patienceOf(weakness),
    retryMs: intervalMs / 4,
  };
}

function patienceOf({ intervalDays }: Weakness): Patience {
  const { patience } = DEFAULTS;
  return {
    ...patience,
    calmGraceMs: patience.calmGraceMs * intervalDays,
    graceMs: patience.graceMs * intervalDays,
    alarmGraceMs: patience.graceMs * intervalDays,
  };
}

/** The mean times that follow from the pace: nothing is fitted. */
function assumptionsOf(weakness: Weakness): LossAssumptions {
  const intervalMs = weakness.intervalDays * DAY_MS;
  const jitterMs = intervalMs / 12;
  const { calmGraceMs, graceMs } = patienceOf(weakness);
  // Half a step of the grid until the first turn, its jitter, and the bytes.
  const repairMs = jitterMs / 2 + TURN_DEFAULTS.turnJitterMs / 2 +
    turnMs(weakness.tier.packBytes) - TURN_DEFAULTS.turnBaseMs;
  return {
    holderLossesPerYear: perYearOfMonthly(weakness.monthlyLoss),
    lookDays: weakness.intervalDays / 2,
    graceDays: graceMs / DAY_MS,
    calmGraceDays: calmGraceMs / DAY_MS,
    repairDays: repairMs / DAY_MS,
    subnetLossesPerYear: 0,
    peersPerSubnet: 1,
    unknownLossesPerYear: 0,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
