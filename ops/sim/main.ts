/**
 * Plays a scenario of the simulator and judges it.
 *
 *     deno task sim -- --scenario lookup --nodes 10000 --seed 1 --json
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { peakBytes } from "../bench/memory.ts";
import type { City } from "./city.ts";
import {
  failing,
  replay,
  rounded,
  type Scenario,
  verdict,
} from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const USAGE =
  `deno task sim -- --scenario NAME [--nodes N] [--seed S] [--small] [--json] [--trace]

${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(14)}${about}`).join("\n")}
`;

type Wanted = {
  readonly scenario: Scenario;
  readonly nodes: number;
  readonly seed: number;
  readonly json: boolean;
  readonly trace: boolean;
};

/** What the command line asks for, or what is wrong with it. */
function wanted(args: readonly string[]): Wanted | string {
  let values;
  try {
    ({ values } = parseArgs({
      // Deno hands on the "--" that separates its own options from ours.
      args: args.filter((arg) => arg !== "--"),
      options: {
        scenario: { type: "string" },
        nodes: { type: "string" },
        seed: { type: "string", default: "1" },
        small: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        trace: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    return String(error);
  }
  const scenario = SCENARIOS.find(({ name }) => name === values.scenario);
  if (scenario === undefined) return `No scenario ${values.scenario}`;
  const { fullNodes, smallNodes } = scenario;
  const nodes = Number(values.nodes ?? (values.small ? smallNodes : fullNodes));
  const seed = Number(values.seed);
  if (!Number.isInteger(nodes) || nodes < smallNodes || nodes > 20_000) {
    return `--nodes is ${values.nodes}, wanted ${smallNodes} to 20000`;
  }
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
    return `--seed is ${values.seed}, wanted 0 to ${0xffff_ffff}`;
  }
  return { scenario, nodes, seed, json: values.json, trace: values.trace };
}

/** How often a person who waits is told how far it is. */
const TOLD_MS = 15_000;

/** Tells on standard error what goes on in the city that was founded last, until it is disposed. */
function teller(name: string): Disposable & { watch(city: City): void } {
  const beganMs = performance.now();
  let watched: City | undefined;
  const tell = (): void => {
    if (watched === undefined) return;
    const { clock, doing, size, trace: { eventCount } } = watched;
    const minutes = (clock.monotonicMs() / 60_000).toFixed(1);
    const seconds = ((performance.now() - beganMs) / 1e3).toFixed();
    console.error(
      `${name}: ${seconds} s, minute ${minutes}, ${size} nodes, ${eventCount} messages; ${doing}`,
    );
  };
  const timer = setInterval(tell, TOLD_MS);
  return {
    watch: (city) => {
      watched = city;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

async function play(asked: Wanted): Promise<boolean> {
  const { scenario, nodes, seed, json, trace } = asked;
  const beganMs = performance.now();
  const write = trace ? (line: string) => console.error(line) : undefined;
  using told = teller(scenario.name);
  const outcome = await scenario.run({
    nodes,
    seed,
    write,
    watch: told.watch,
    tell: (sentence) => console.error(`${scenario.name}: ${sentence}`),
  });
  const tookMs = performance.now() - beganMs;
  const cpu = process.cpuUsage();
  const report = {
    scenario: scenario.name,
    nodes,
    seed,
    passed: failing(outcome.checks).length === 0,
    verdict: verdict(outcome.checks),
    figures: outcome.figures,
    trace: outcome.trace,
    events: outcome.eventCount,
    simulatedSeconds: rounded(outcome.simulatedMs / 1e3),
    realSeconds: rounded(tookMs / 1e3),
    timesRealTime: rounded(outcome.simulatedMs / tookMs),
    cpuSeconds: rounded((cpu.user + cpu.system) / 1e6),
    peakMegabytes: rounded((peakBytes(Deno.pid) ?? 0) / 1e6),
  };
  if (json) console.log(JSON.stringify(report));
  else {
    console.log(report.verdict);
    console.table(report.figures);
    console.log(
      `${report.simulatedSeconds} s in ${report.realSeconds} s, ${report.peakMegabytes} MB, trace ${report.trace}`,
    );
  }
  return report.passed;
}

async function main(asked: Wanted): Promise<boolean> {
  const { scenario: { name }, nodes, seed } = asked;
  let passed = false;
  try {
    passed = await play(asked);
  } finally {
    if (!passed) console.error(`Replay with: ${replay(name, nodes, seed)}`);
  }
  return passed;
}

if (import.meta.main) {
  const asked = wanted(Deno.args);
  if (typeof asked === "string") {
    console.error(`${asked}\n\n${USAGE}`);
    Deno.exit(2);
  }
  if (!await main(asked)) Deno.exit(1);
}
