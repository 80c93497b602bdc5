/**
 * Years of holders that come and go, and whether any tessera is lost; or worlds so bad that some are, beside what the
 * model of loss foretells.
 *
 *     deno task decay -- --years 10 --holders 200 --monthly-loss 0.05 --seed 1 --json
 *     deno task decay -- --disaster --json
 *     deno task decay -- --compare --worlds 100 --json
 *     deno task decay -- --audits --json
 */
import { parseArgs } from "node:util";
import {
  estimateLoss,
  LOSS_DEFAULTS,
  perYearOfMonthly,
} from "@tesseras/preservation";
import { audits } from "./audits.ts";
import { figuresOf, rounded } from "./figures.ts";
import { DAY_MS, DEFAULTS, HOUR_MS, type Options } from "./options.ts";
import { compare, WEAKNESSES } from "./weak.ts";
import { live } from "./world.ts";

const USAGE =
  `deno task decay -- [--seed S] [--years Y] [--holders N] [--monthly-loss P] [--calm-hours H] [--disaster] [--json]
deno task decay -- --compare [--worlds N] [--seed S] [--json]
deno task decay -- --audits [--seed S] [--json]

  --calm-hours how long silence is forgiven while half of the margin is there
  --disaster   kills the most populous /16 halfway
  --compare    loses tesseras on purpose, and prints what the model foretells
  --audits     holders that keep nine tenths, and how many a week of audits finds
`;

type Wanted = {
  readonly options: Options;
  readonly worlds: number;
  readonly what: "play" | "compare" | "audits";
  readonly json: boolean;
};

/** A number that can be asked for, and what it may be. */
type Wish = {
  readonly flag: string;
  readonly usual: number;
  readonly least: number;
  readonly most: number;
};

const WISHES = {
  seed: { flag: "seed", usual: DEFAULTS.seed, least: 0, most: 400_000 },
  years: { flag: "years", usual: DEFAULTS.years, least: 0.01, most: 1_000 },
  holders: { flag: "holders", usual: DEFAULTS.holders, least: 10, most: 5_000 },
  monthlyLoss: {
    flag: "monthly-loss",
    usual: DEFAULTS.monthlyLoss,
    least: 1e-6,
    most: 0.9,
  },
  calmHours: {
    flag: "calm-hours",
    usual: DEFAULTS.patience.calmGraceMs / HOUR_MS,
    least: DEFAULTS.patience.graceMs / HOUR_MS,
    most: 10_000,
  },
  worlds: { flag: "worlds", usual: 100, least: 2, most: 10_000 },
} as const satisfies Readonly<Record<string, Wish>>;

/** What the command line asks for, or what is wrong with it. */
function wanted(args: readonly string[]): Wanted | string {
  const flags = Object.values(WISHES).map(({ flag }) =>
    [flag, { type: "string" }] as const
  );
  const switches = ["disaster", "compare", "audits", "json"].map((flag) =>
    [flag, { type: "boolean" }] as const
  );
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({
      // Deno hands on the "--" that separates its own options from ours.
      args: args.filter((arg) => arg !== "--"),
      options: Object.fromEntries([...flags, ...switches]),
    }));
  } catch (error) {
    return String(error);
  }
  for (const { flag, least, most } of Object.values(WISHES)) {
    const value = Number(values[flag] ?? least);
    if (!(value >= least && value <= most)) {
      return `--${flag} is ${values[flag]}, wanted ${least} to ${most}`;
    }
  }
  const number = ({ flag, usual }: Wish): number =>
    Number(values[flag] ?? usual);
  return {
    options: {
      ...DEFAULTS,
      seed: Math.floor(number(WISHES.seed)),
      years: number(WISHES.years),
      holders: Math.floor(number(WISHES.holders)),
      monthlyLoss: number(WISHES.monthlyLoss),
      disaster: values.disaster === true,
      patience: {
        ...DEFAULTS.patience,
        calmGraceMs: number(WISHES.calmHours) * HOUR_MS,
      },
    },
    worlds: Math.floor(number(WISHES.worlds)),
    what: values.audits ? "audits" : values.compare ? "compare" : "play",
    json: values.json === true,
  };
}

/** One world. Fails when a tessera is lost. */
function play({ options, json }: Wanted): boolean {
  const beganMs = performance.now();
  const figures = figuresOf(options, live(options));
  const { seed, years, holders, monthlyLoss, disaster, patience } = options;
  const assumptions = {
    ...LOSS_DEFAULTS,
    holderLossesPerYear: perYearOfMonthly(monthlyLoss),
    calmGraceDays: patience.calmGraceMs / DAY_MS,
  };
  const foretold = options.tiers.reduce((sum, tier) => {
    const [within] = estimateLoss(tier, assumptions, [years]).within;
    return sum + tier.count * within!.modelProbability;
  }, 0);
  const report = {
    seed,
    years,
    holders,
    monthlyLoss,
    calmHours: patience.calmGraceMs / HOUR_MS,
    disaster,
    ...figures,
    lossesForetold: rounded(foretold),
    realSeconds: rounded((performance.now() - beganMs) / 1e3),
  };
  if (json) console.log(JSON.stringify(report));
  else {
    const { worstMargin, ...rest } = report;
    console.table({ ...rest, ...flat("worstMargin", worstMargin) });
  }
  return figures.lost === 0;
}

function flat(
  name: string,
  values: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`${name} ${key}`, value]),
  );
}

function comparison({ options, worlds, json }: Wanted): void {
  for (const weakness of WEAKNESSES) {
    const seen = compare(weakness, worlds, options.seed);
    if (json) console.log(JSON.stringify(seen));
    else {
      console.log(
        `${seen.name}: ${seen.losses} lost in ${seen.tesseraYears} tessera years, ${seen.measuredPerYear} a year (± ${seen.standardError}), the model says ${seen.modelPerYear}`,
      );
    }
  }
}

/** Cheats tried for the figure of the audits: its standard error is 0.02 %. */
const CHEATS_TRIED = 200_000;

function cheating({ options, json }: Wanted): void {
  for (const seen of audits(CHEATS_TRIED, options.seed)) {
    if (json) console.log(JSON.stringify(seen));
    else {
      console.log(
        `Who ${seen.cheat} is caught within a week with ${seen.caughtMeasured}, foretold ${seen.caughtForetold}`,
      );
    }
  }
}

function main(asked: Wanted): boolean {
  switch (asked.what) {
    case "play":
      return play(asked);
    case "compare":
      comparison(asked);
      return true;
    case "audits":
      cheating(asked);
      return true;
  }
}

if (import.meta.main) {
  const asked = wanted(Deno.args);
  if (typeof asked === "string") {
    console.error(`${asked}\n\n${USAGE}`);
    Deno.exit(2);
  }
  if (!main(asked)) Deno.exit(1);
}
