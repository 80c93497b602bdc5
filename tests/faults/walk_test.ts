/** A few faults in every story, and a short storm; `deno task faults` plays more. Longer than most: each fault is a world of its own. */
import { assertEquals } from "@tesseras/testing";
import { again, commandOf } from "./campaign.ts";
import { STORIES } from "./stories.ts";
import { stormProblem } from "./storm.ts";
import { Tally } from "./tally.ts";
import { type Finding, walk } from "./walk.ts";

/** How many faults are played here. Those that cost more are fewer. */
const CUTS: Readonly<Record<string, number>> = {
  store: 12,
  sweep: 16,
  audit: 3,
  prove: 4,
  distribute: 8,
  receive: 3,
  two: 4,
  repair: 8,
  take: 2,
  recode: 2,
};
const SEED = 1;
/** Things that go wrong in the short storm. */
const STEPS = 6;

function told(findings: readonly Finding[]): readonly string[] {
  return findings.map((one) => `${one.what}: ${commandOf(one)}`);
}

Deno.test("what was found once is not found again", async () => {
  assertEquals(told(await again(new Tally())), []);
});

for (const story of STORIES) {
  Deno.test(`nothing is lost or deleted by mistake, whatever befalls an operation of "${story.name}"`, async () => {
    const cutsMax = CUTS[story.name]!;
    const order = { story, seed: SEED, cutsMax, tally: new Tally() };
    const { findings, cutCount } = await walk(order);
    assertEquals(told(findings), []);
    assertEquals(cutCount, cutsMax);
  });
}

Deno.test("a storm of everything at once takes nothing that k honest holders have", async () => {
  const tally = new Tally();
  const order = { seed: SEED, tally, isCoded: false, steps: STEPS };
  assertEquals(await stormProblem(order), undefined);
});
