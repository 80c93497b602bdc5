/** Small worlds, for every change; `deno task decay` has the large ones. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { estimateLoss, LOSS_DEFAULTS } from "@tesseras/preservation";
import { audits } from "./audits.ts";
import { figuresOf, lossRateOf } from "./figures.ts";
import { DEFAULTS, type Options, TIERS } from "./options.ts";
import { compare, type Weakness, WEAKNESSES } from "./weak.ts";
import { live } from "./world.ts";

/** A few tesseras of every tier among the usual holders. */
const SMALL: Options = {
  ...DEFAULTS,
  years: 0.4,
  tiers: TIERS.map((tier) => ({
    ...tier,
    count: tier.name === "large" ? 1 : 4,
  })),
};

Deno.test("in a bad half year nothing is lost, little is stored twice, and holders are replaced", () => {
  const options = { ...SMALL, monthlyLoss: 0.08 };
  const figures = figuresOf(options, live(options));
  assertEquals(figures.lost, 0);
  assertTrue(figures.holdersLost > 40, `${figures.holdersLost} holders`);
  assertTrue(figures.repairs > 5, `${figures.repairs} repairs`);
  assertTrue(figures.expansionMean <= 1.6, `${figures.expansionMean}`);
  assertEquals(figures.fragmentsReleasedLast, 0);
  // A copy costs itself, a fragment of 16 + 8 at most the pack for three and of 48 + 24 for seven.
  assertTrue(figures.bytesMovedPerByteLost < 12);
  assertTrue(
    figures.fragmentsMadeTwice <= figures.fragmentsMade / 10,
    `${figures.fragmentsMadeTwice} of ${figures.fragmentsMade}`,
  );
  for (const [tier, margin] of Object.entries(figures.worstMargin)) {
    assertTrue(margin > 0, `${tier} came down to ${margin}`);
  }
});

Deno.test("a whole /16 dies at once, and nothing is lost", () => {
  const options = { ...SMALL, disaster: true };
  const figures = figuresOf(options, live(options));
  assertTrue(figures.holdersStruck >= 10, `${figures.holdersStruck} struck`);
  assertEquals(figures.lost, 0);
});

Deno.test("one seed gives one history, another seed another", () => {
  const options = { ...SMALL, years: 0.1 };
  const figures = [1, 1, 2].map((seed) =>
    JSON.stringify(figuresOf(options, live({ ...options, seed })))
  );
  assertEquals(figures[0], figures[1]);
  assertTrue(figures[0] !== figures[2]);
});

Deno.test("holders let go of what returning ones brought back, and never of the last", () => {
  const tiers = [{ ...TIERS[1]!, count: 8 }];
  const options = { ...SMALL, years: 1, tiers };
  const figures = figuresOf(options, live(options));
  assertTrue(figures.fragmentsReleased > 2, `${figures.fragmentsReleased}`);
  assertEquals(figures.fragmentsReleasedLast, 0);
  assertEquals(figures.lost, 0);
});

Deno.test("where nobody ever counts as gone, tesseras are lost as the model without repair says", () => {
  const patience = {
    ...DEFAULTS.patience,
    calmGraceMs: 1e15,
    graceMs: 1e15,
    alarmGraceMs: 1e15,
    evasionsMax: Infinity,
  };
  const tier = { ...TIERS[1]!, count: 10 };
  const options: Options = {
    ...DEFAULTS,
    years: 3,
    monthlyLoss: 0.2,
    tiers: [tier],
    patience,
    // Looks so rare that no forgotten holder is ever missed.
    pace: { intervalMs: 1e12, jitterMs: 1 },
  };
  const { losses, tesseraYears } = lossRateOf(live(options));
  assertEquals(losses, tier.count);
  const never = 1e9;
  const { modelLossesPerYear } = estimateLoss(tier, {
    ...LOSS_DEFAULTS,
    holderLossesPerYear: -12 * Math.log1p(-0.2),
    subnetLossesPerYear: 0,
    lookDays: never,
    graceDays: never,
    calmGraceDays: never,
    repairDays: never,
  });
  const measured = losses / tesseraYears;
  assertTrue(
    Math.abs(measured / modelLossesPerYear - 1) < 0.3,
    `${measured} a year, the model says ${modelLossesPerYear}`,
  );
});

/**
 * The model may say up to twice what is measured, since its waits know no end, and no less than it by more than chance: three
 * standard errors between worlds.
 */
function assertAgrees(weakness: Weakness, worlds: number): void {
  const { measuredPerYear, standardError, modelPerYear, losses } = compare(
    weakness,
    worlds,
    7,
  );
  const told = `${measuredPerYear} ± ${standardError} a year, ` +
    `the model says ${modelPerYear}`;
  assertTrue(losses >= 50, `${losses} losses say something`);
  assertTrue(standardError < measuredPerYear / 3, told);
  assertTrue(modelPerYear < 2 * (measuredPerYear + 3 * standardError), told);
  assertTrue(modelPerYear > measuredPerYear - 3 * standardError, told);
}

Deno.test("bad coded worlds lose what the model says, within a factor of two", () => {
  assertAgrees(WEAKNESSES[0]!, 8);
});

Deno.test("bad copied worlds lose what the model says, within a factor of two", () => {
  assertAgrees({ ...WEAKNESSES[2]!, monthlyLoss: 0.3, years: 2 }, 12);
});

Deno.test("a week of audits finds who keeps nine tenths, as often as foretold", () => {
  for (const seen of audits(5_000, 1)) {
    assertTrue(seen.caughtForetold >= 0.99);
    assertTrue(Math.abs(seen.caughtMeasured - seen.caughtForetold) < 0.006);
  }
});
