/** The long form of a scenario: `--rounds N --seed S` on a network of its own, one JSON line at the end. */
import { parseArgs } from "node:util";
import { SeededRandom } from "@tesseras/core";
import { systemRandom } from "@tesseras/core/system";
import { Lab } from "./lab.ts";

/** A scenario that can be repeated. Says what it does line by line. */
export type Scenario = (
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
) => Promise<void>;

/** Runs a scenario from the command line; the process ends with 1 when it fails. */
export async function longRun(
  name: string,
  scenario: Scenario,
): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      rounds: { type: "string", default: "20" },
      seed: { type: "string", default: String(freshSeed()) },
    },
  });
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
  if (!(Number.isSafeInteger(rounds) && rounds >= 1 && seed >= 0)) {
    console.error(`${name}: wanted --rounds of 1 or more, and a --seed`);
    Deno.exit(2);
  }
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  console.log(`${name}: --rounds ${rounds} --seed ${seed}`);
  const startMs = performance.now();
  {
    await using lab = await Lab.open(new SeededRandom(seed), stop.signal);
    await scenario(lab, rounds, (line) => console.log(line));
  }
  const seconds = Math.round(performance.now() - startMs) / 1_000;
  console.log(JSON.stringify({ name, rounds, seed, seconds, ok: true }));
  Deno.exit(0);
}

/** A seed to be printed, so that a failure can be repeated. */
export function freshSeed(): number {
  return systemRandom.below(1_000_000);
}
