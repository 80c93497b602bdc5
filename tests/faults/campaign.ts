/** Everything there is to play: what was found before, walks through all stories, and storms. */
import type { Cut } from "./life.ts";
import { FOUND } from "./found.ts";
import { STORIES } from "./stories.ts";
import { stormProblem } from "./storm.ts";
import type { Story } from "./story.ts";
import { Tally } from "./tally.ts";
import { type Finding, problemOf, walk } from "./walk.ts";

/** How much is played. */
export type CampaignOrder = {
  readonly seed: number;
  /** The stories that are walked. */
  readonly stories: readonly Story[];
  /** Cuts of each story at most. */
  readonly cutsMax: number;
  readonly stormCount: number;
  readonly say: (line: string) => void;
};

/** What came of one story. */
export type StoryReport = {
  readonly story: string;
  /** Operations of the process that is killed, when it is not. */
  readonly operations: number;
  readonly cuts: number;
  readonly findings: number;
};

/** The summary of a run. */
export type CampaignReport = {
  readonly seed: number;
  readonly stories: readonly StoryReport[];
  readonly storms: number;
  readonly tally: Tally;
  readonly findings: readonly Finding[];
};

/** Plays. */
export async function campaign(
  { seed, stories, cutsMax, stormCount, say }: CampaignOrder,
): Promise<CampaignReport> {
  const tally = new Tally();
  const findings: Finding[] = [...await again(tally)];
  const reports: StoryReport[] = [];
  for (const story of stories) {
    const walked = await walk({ story, seed, cutsMax, tally });
    findings.push(...walked.findings);
    const report = {
      story: story.name,
      operations: walked.operationCount,
      cuts: walked.cutCount,
      findings: walked.findings.length,
    };
    reports.push(report);
    say(sentenceOf(report));
  }
  for (let at = 0; at < stormCount; at++) {
    const order = { seed: seed + at, tally, isCoded: at % 4 === 3 };
    const what = await stormProblem(order);
    say(`storm ${order.seed}: ${what ?? "nothing lost"}`);
    if (what === undefined) continue;
    findings.push({ story: "storm", seed: order.seed, what });
  }
  return { seed, stories: reports, storms: stormCount, tally, findings };
}

/** Plays what was found before. @returns what is still wrong */
export async function again(tally: Tally): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { story: name, seed, cut } of FOUND) {
    const what = await replay({ name, seed, cut, tally });
    if (what !== undefined) findings.push({ story: name, seed, cut, what });
  }
  return findings;
}

/** Plays one cut of a story, or one storm. @returns what was wrong */
export async function replay(
  { name, seed, cut, tally, say = () => {} }: {
    readonly name: string;
    readonly seed: number;
    readonly cut: Cut | undefined;
    readonly tally: Tally;
    readonly say?: (line: string) => void;
  },
): Promise<string | undefined> {
  if (name === "storm") {
    return await stormProblem({ seed, tally, isCoded: false, say });
  }
  const story = STORIES.find((one) => one.name === name);
  if (story === undefined) return `there is no story ${name}`;
  return await problemOf({ story, seed, cut, tally });
}

/** How a finding is played again. */
export function commandOf({ story, seed, cut }: Finding): string {
  const at = cut === undefined ? "" : ` --cut ${cut.at}:${cut.fault}`;
  return `deno task faults -- --story ${story} --seed ${seed}${at}`;
}

function sentenceOf(
  { story, operations, cuts, findings }: StoryReport,
): string {
  const what = findings === 0 ? "nothing lost" : `${findings} FOUND`;
  return `${story}: ${cuts} faults at ${operations} operations, ${what}`;
}
