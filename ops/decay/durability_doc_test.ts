/** docs/DURABILITY.md says in its tables what the code says. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  chanceOf,
  type Coding,
  estimateLoss,
  LOSS_DEFAULTS,
  type LossAssumptions,
  lossInDisaster,
  perYearOfMonthly,
} from "@tesseras/preservation";
import { TIERS } from "./options.ts";

const text = await Deno.readTextFile(
  new URL("../../docs/DURABILITY.md", import.meta.url),
);

/** The cells of the table between two marks, its head left out. */
function table(mark: string): string[][] {
  const [, between = ""] = text.split(
    new RegExp(`<!-- /?${mark} -->`),
  );
  const rows = between.split("\n").map((line) => line.trim())
    .filter((line) => line.startsWith("|"))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
  return rows.slice(2);
}

function nameOf({ dataCount, parityCount }: Coding): string {
  return `${dataCount} + ${parityCount}`;
}

Deno.test("the chances of each tier are those the model gives", () => {
  const wanted = TIERS.map((tier) => {
    const { within, modelLossesPerYear } = estimateLoss(tier);
    const said = within.map(({ probability }) => chanceOf(probability));
    return [nameOf(tier), ...said, chanceOf(modelLossesPerYear)];
  });
  assertEquals(table("tiers"), wanted);
});

Deno.test("every assumption is named with its value", () => {
  const said = table("assumptions").map(([name = "", value]) =>
    [name.replaceAll("`", ""), Number(value)] as const
  );
  const digits = (value: number) => Number(value.toPrecision(3));
  const wanted = Object.entries(LOSS_DEFAULTS)
    .map(([name, value]) => [name, digits(value)] as const);
  assertEquals(said, wanted);
});

Deno.test("the chances in a disaster are those of the binomial", () => {
  const wanted = TIERS.map((tier) => [
    nameOf(tier),
    ...[0.1, 0.2, 0.33].map((share) => chanceOf(lossInDisaster(tier, share))),
  ]);
  assertEquals(table("disaster"), wanted);
});

Deno.test("what matters most is what the model says of 16 + 8", () => {
  const rate = (changed: Partial<LossAssumptions>, peerCount = 24): string =>
    chanceOf(
      estimateLoss(
        { dataCount: 16, parityCount: 8, peerCount },
        { ...LOSS_DEFAULTS, ...changed },
      ).modelLossesPerYear,
    ).replace("1 in ", "");
  const wanted = [
    rate({}),
    rate({ holderLossesPerYear: perYearOfMonthly(0.02) }),
    rate({ holderLossesPerYear: perYearOfMonthly(0.1) }),
    rate({ subnetLossesPerYear: 0 }),
    rate({ subnetLossesPerYear: 1 / 10 }),
    rate({ repairDays: 7 }),
    rate({ calmGraceDays: LOSS_DEFAULTS.graceDays }),
    rate({}, 7),
  ];
  const said = table("sensitivity").map(([, chance]) => chance);
  assertEquals(said, wanted);
  assertTrue(said.length === wanted.length);
});
