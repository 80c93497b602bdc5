/**
 * Kills nodes at their operations, breaks their disks, and looks whether anything acknowledged is lost or anything deleted by
 * mistake.
 *
 *     deno task faults -- --seed 1 --full --json
 *     deno task faults -- --story repair --seed 1 --cut 17:before
 */
import { parseArgs } from "node:util";
import {
  campaign,
  type CampaignReport,
  commandOf,
  replay,
} from "./campaign.ts";
import { type Cut, FAULTS } from "./life.ts";
import { STORIES } from "./stories.ts";
import { Tally } from "./tally.ts";

const USAGE =
  `deno task faults -- [--seed S] [--cuts N | --full] [--storms N] [--story NAME] [--json]
deno task faults -- --story NAME --seed S --cut AT:FAULT
deno task faults -- --story storm --seed S

  --cuts   faults in each story, 40 if nothing is said, spread over all its operations
  --full   every fault at every operation, and 20 storms: hours
  --story  only this one of ${STORIES.map(({ name }) => name).join(", ")}
  --cut    only this one, as in 17:before; faults are ${FAULTS.join(", ")}
`;

/** What the command line asks for, or what is wrong with it. */
type Wanted = {
  readonly seed: number;
  readonly cutsMax: number;
  readonly storms: number;
  readonly story: string | undefined;
  readonly cut: Cut | undefined;
  readonly json: boolean;
};

function wanted(args: readonly string[]): Wanted | string {
  let values;
  try {
    ({ values } = parseArgs({
      // Deno hands on the "--" that separates its own options from ours.
      args: args.filter((arg) => arg !== "--"),
      options: {
        seed: { type: "string", default: "1" },
        cuts: { type: "string", default: "40" },
        storms: { type: "string" },
        story: { type: "string" },
        cut: { type: "string" },
        full: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { full, story, json } = values;
  const seed = Number(values.seed);
  const cutsMax = full ? Infinity : Number(values.cuts);
  const usual = story === undefined ? (full ? 20 : 2) : 0;
  const storms = values.storms === undefined ? usual : Number(values.storms);
  if (![seed, storms].every(Number.isInteger) || !(cutsMax >= 1)) {
    return "seed, cuts and storms are whole numbers";
  }
  const cut = values.cut === undefined ? undefined : cutOf(values.cut);
  if (cut === "wrong") return `${values.cut} is no cut`;
  const names = ["storm", ...STORIES.map(({ name }) => name)];
  if (story !== undefined && !names.includes(story)) {
    return `there is no story ${story}`;
  }
  return { seed, cutsMax, storms, story, cut, json };
}

function cutOf(text: string): Cut | "wrong" {
  const [at, name] = text.split(":");
  const fault = FAULTS.find((one) => one === name);
  const number = Number(at);
  return fault === undefined || !Number.isInteger(number)
    ? "wrong"
    : { at: number, fault };
}

function print({ stories, tally, findings, storms }: CampaignReport): void {
  const cuts = stories.reduce((sum, one) => sum + one.cuts, 0);
  console.log(`
faults walked         ${cuts} in ${stories.length} stories
storms                ${storms}
processes killed      ${tally.kills}, started again ${tally.restarts}
operations failed     ${tally.errors}
blobs harmed          ${tally.harms}
acknowledged          ${tally.acknowledged}
repairs               ${tally.repairs}
fetched and compared  ${tally.fetches}
invariants checked    ${tally.checks}
found                 ${
    findings.length === 0 ? "nothing lost" : findings.length
  }`);
  for (const finding of findings) {
    const at = finding.operation ?? "undisturbed";
    console.log(`\n${finding.story}, ${at}: ${finding.what}`);
    console.log(`Replay with: ${commandOf(finding)}`);
  }
}

async function main(): Promise<number> {
  const order = wanted(Deno.args);
  if (typeof order === "string") {
    console.error(`${order}\n\n${USAGE}`);
    return 2;
  }
  const { seed, story, cut, json, cutsMax } = order;
  const say = (line: string): void => json ? undefined : console.log(line);
  if (story === "storm" || story !== undefined && cut !== undefined) {
    const tally = new Tally();
    const what = await replay({ name: story, seed, cut, tally, say });
    console.log(what ?? "nothing lost");
    return what === undefined ? 0 : 1;
  }
  const stories = STORIES.filter(({ name }) =>
    story === undefined || story === name
  );
  const stormCount = order.storms;
  const report = await campaign({ seed, stories, cutsMax, stormCount, say });
  if (json) console.log(JSON.stringify(report));
  else print(report);
  return report.findings.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
