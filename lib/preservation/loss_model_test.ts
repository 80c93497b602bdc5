import { TESSERA_BYTES_MAX } from "@tesseras/core/limits";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  estimateLoss,
  LOSS_DEFAULTS,
  type LossAssumptions,
  lossInDisaster,
  type LossQuestion,
  perYearOfMonthly,
} from "./loss_model.ts";
import { assumptionSentences, chanceOf, lossSentences } from "./loss_words.ts";

const COPIES: LossQuestion = { dataCount: 1, parityCount: 6 };
const MEDIUM: LossQuestion = { dataCount: 16, parityCount: 8 };
const LARGE: LossQuestion = { dataCount: 48, parityCount: 24 };
const TIERS = [COPIES, MEDIUM, LARGE];

function rate(
  question: LossQuestion,
  changed: Partial<LossAssumptions> = {},
): number {
  return estimateLoss(question, { ...LOSS_DEFAULTS, ...changed })
    .modelLossesPerYear;
}

Deno.test("5 % a month leave 54 % after a year", () => {
  assertTrue(
    Math.abs(Math.exp(-perYearOfMonthly(0.05)) - 0.95 ** 12) < 1e-12,
  );
});

Deno.test("with nothing but data, the first loss is the end", () => {
  const { modelLossesPerYear } = estimateLoss(
    { dataCount: 10, parityCount: 0 },
    { ...LOSS_DEFAULTS, subnetLossesPerYear: 0 },
  );
  const wanted = 10 * LOSS_DEFAULTS.holderLossesPerYear;
  assertTrue(Math.abs(modelLossesPerYear / wanted - 1) < 1e-12);
});

Deno.test("without repair it is the time until the m-th and one more have gone", () => {
  // 1/(n l) + 1/((n-1) l) + ..., m + 1 terms.
  const never = 1e12;
  const seen = rate(MEDIUM, {
    subnetLossesPerYear: 0,
    lookDays: never,
    graceDays: never,
    calmGraceDays: never,
    repairDays: never,
  });
  let years = 0;
  for (let alive = 24; alive >= 16; alive--) {
    years += 1 / (alive * LOSS_DEFAULTS.holderLossesPerYear);
  }
  assertTrue(Math.abs(seen * years - 1) < 1e-6, `${1 / seen} and ${years}`);
});

Deno.test("one in 10^30 is a number like any other", () => {
  const tiny = rate(LARGE, {
    holderLossesPerYear: 0.1,
    subnetLossesPerYear: 0,
    peersPerSubnet: 1,
  });
  assertTrue(tiny > 0 && tiny < 1e-30, String(tiny));
  const [within] = estimateLoss(LARGE, {
    ...LOSS_DEFAULTS,
    holderLossesPerYear: 0.1,
    subnetLossesPerYear: 0,
  }, [100]).within;
  assertTrue(within!.modelProbability > 0);
});

Deno.test("everything that is worse makes the chance of loss larger", () => {
  const worse: Partial<LossAssumptions>[] = [
    { holderLossesPerYear: 2 * LOSS_DEFAULTS.holderLossesPerYear },
    { lookDays: 2 * LOSS_DEFAULTS.lookDays },
    // Both: silence that is forgiven longer now is forgiven no sooner later.
    {
      graceDays: 1 + LOSS_DEFAULTS.graceDays,
      calmGraceDays: 1 + LOSS_DEFAULTS.calmGraceDays,
    },
    { calmGraceDays: 2 * LOSS_DEFAULTS.calmGraceDays },
    { repairDays: 2 * LOSS_DEFAULTS.repairDays },
    { subnetLossesPerYear: 2 * LOSS_DEFAULTS.subnetLossesPerYear },
  ];
  for (const tier of TIERS) {
    for (const changed of worse) {
      assertTrue(
        rate(tier, changed) > rate(tier),
        `${JSON.stringify(tier)} ${JSON.stringify(changed)}`,
      );
    }
    assertTrue(rate(tier, { peersPerSubnet: 1 }) < rate(tier));
  }
});

Deno.test("fewer peers are worse: 24 fragments on 7 peers die with the third", () => {
  for (const tier of [MEDIUM, LARGE]) {
    const spread = rate(tier);
    const close = rate({ ...tier, peerCount: 7 });
    assertTrue(close > 100 * spread, `${close} and ${spread}`);
  }
  const single = estimateLoss({ ...MEDIUM, peerCount: 1 });
  assertTrue(single.within[0]!.probability > 0.4);
});

Deno.test("a tessera that misses some is at greater risk until it is whole, and lost when too many are", () => {
  const chances = Array.from({ length: 9 }, (_, missingCount) => {
    const { lossBeforeWhole, within } = estimateLoss({
      ...MEDIUM,
      missingCount,
    });
    assertTrue(within[0]!.probability >= lossBeforeWhole);
    return lossBeforeWhole;
  });
  assertEquals(chances[0], 0);
  // Below half of the margin nobody waits, so that each further loss is worse than the one before.
  for (let missing = 6; missing <= 8; missing++) {
    assertTrue(chances[missing]! > 5 * chances[missing - 1]!);
  }
  assertTrue(chances[8]! > 1e-3 && chances[8]! < 1, "the last spare is gone");
  const lost = estimateLoss({ ...MEDIUM, missingCount: 9 });
  assertEquals(lost.within.map(({ probability }) => probability), [1, 1, 1]);
});

Deno.test("what cannot be known is never less than it is said to be", () => {
  const { within } = estimateLoss(LARGE);
  for (const { years, probability, modelProbability } of within) {
    const floor = -Math.expm1(-LOSS_DEFAULTS.unknownLossesPerYear * years);
    assertTrue(probability >= floor * (1 - 1e-12));
    assertTrue(modelProbability < floor);
  }
});

Deno.test("chances grow with time and stay chances", () => {
  fc.assert(fc.property(
    fc.record({
      dataCount: fc.integer({ min: 1, max: 20 }),
      parityCount: fc.integer({ min: 0, max: 8 }),
      missingCount: fc.nat(9),
      peerCount: fc.integer({ min: 1, max: 28 }),
    }),
    fc.double({ min: 1e-3, max: 50, noNaN: true }),
    (question, holderLossesPerYear) => {
      const { within } = estimateLoss(
        question,
        { ...LOSS_DEFAULTS, holderLossesPerYear },
        [0, 1, 10, 100, 1e6],
      );
      let before = 0;
      for (const { probability, modelProbability } of within) {
        assertTrue(probability >= before && probability <= 1);
        assertTrue(modelProbability <= probability);
        before = probability;
      }
    },
  ));
});

Deno.test("a disaster's chance is the tail of the binomial", () => {
  // All of 2 with a half each: 1/4. More than 1 of 3 with a tenth: 3 * 0.01 * 0.9 + 0.001.
  const all = lossInDisaster({ dataCount: 1, parityCount: 1 }, 0.5);
  assertTrue(Math.abs(all - 0.25) < 1e-15);
  const some = lossInDisaster({ dataCount: 2, parityCount: 1 }, 0.1);
  assertTrue(Math.abs(some - 0.028) < 1e-15);
  assertEquals(lossInDisaster(MEDIUM, 0), 0);
  assertEquals(lossInDisaster(MEDIUM, 1), 1);
  assertTrue(lossInDisaster(LARGE, 1e-3) > 0);
});

Deno.test("refuses what it cannot model instead of saying something", () => {
  const questions: LossQuestion[] = [
    { dataCount: 0, parityCount: 8 },
    { dataCount: 16, parityCount: -1 },
    { dataCount: 16.5, parityCount: 8 },
    { dataCount: 200, parityCount: 55 },
    { dataCount: 10, parityCount: 37 },
    { dataCount: 16, parityCount: 8, peerCount: 0 },
    { dataCount: 16, parityCount: 8, missingCount: Number.NaN },
  ];
  for (const question of questions) {
    assertThrowsCode(() => estimateLoss(question), "unusable", /Cannot/);
  }
  const assumptions: Partial<LossAssumptions>[] = [
    { holderLossesPerYear: 0 },
    { repairDays: 0 },
    { lookDays: Number.NaN },
    { subnetLossesPerYear: -1 },
    { peersPerSubnet: 0 },
    { graceDays: 5 },
    { unknownLossesPerYear: Infinity },
  ];
  for (const changed of assumptions) {
    assertThrowsCode(() => rate(MEDIUM, changed), "unusable", /assumptions/);
  }
});

Deno.test("the largest chain is solved in a moment", () => {
  const question = { dataCount: 36, parityCount: 36 };
  assertTrue(TESSERA_BYTES_MAX > 0 && rate(question) > 0);
});

Deno.test("a person is told the chances and everything they rest on", () => {
  const estimate = estimateLoss({ ...MEDIUM, peerCount: 20 });
  const lines = lossSentences(estimate);
  assertEquals(lines.length, 3);
  assertTrue(/^Chance of loss within 1 year: 1 in [\d,]+\.$/.test(lines[0]!));
  const words = assumptionSentences(estimate).join(" ");
  for (
    const fact of [
      "Any 16 of 24 fragments on 20 peers",
      "5 % a month",
      "26 hours",
      "36 hours",
      "4 days",
      "Once 3 are gone",
      "up to 2 peers",
      "2 % a year",
      "1 in 1,000,000 a year",
      "If a fifth of all did, the chance of loss would be 3.6 %",
    ]
  ) assertTrue(words.includes(fact), `${fact}: ${words}`);
  const copies = assumptionSentences(estimateLoss(COPIES)).join(" ");
  assertTrue(copies.includes("Any 1 of 7 copies on 7 peers is enough."));
  assertTrue(copies.includes("Once one is gone"));
});

Deno.test("chances are said in the form people understand", () => {
  const said: [number, string][] = [
    [0, "none"],
    [1e-30, "less than 1 in 1,000,000,000,000,000"],
    [1.234e-6, "1 in 810,000"],
    [1 / 9_400, "1 in 9,400"],
    [0.0099, "1 in 100"],
    [0.036, "3.6 %"],
    [0.5, "50 %"],
    [0.999, "almost certain"],
    [1, "almost certain"],
  ];
  for (const [probability, words] of said) {
    assertEquals(chanceOf(probability), words);
  }
});
