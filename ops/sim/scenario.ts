/** What a scenario is, and how its verdict is spoken. */
import { toHex, utf8 } from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";
import type { City, CityOptions } from "./city.ts";

/** How large, and which history. */
export type Ask = Pick<CityOptions, "seed" | "write" | "watch"> & {
  readonly nodes: number;
  /** Is told what a part of the story came to, where the whole takes hours. */
  readonly tell?: (sentence: string) => void;
};

/** One thing that must hold. */
export type Check = {
  readonly what: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
};

/** What a scenario found. Figures are of the seed alone: the machine's speed and memory are not among them. */
export type Outcome = {
  readonly checks: readonly Check[];
  readonly figures: Readonly<Record<string, number>>;
  /** Simulated milliseconds over all cities. */
  readonly simulatedMs: number;
  readonly eventCount: number;
  /** BLAKE3 of every message of every city. */
  readonly trace: string;
};

/** A story about a network, with an end that can be judged. */
export type Scenario = {
  readonly name: string;
  /** One sentence for people. */
  readonly about: string;
  /** Nodes at full size, and in the checks of every change. */
  readonly fullNodes: number;
  readonly smallNodes: number;
  readonly run: (ask: Ask) => Promise<Outcome>;
};

/** Checks that do not hold. */
export function failing(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ value, atLeast, atMost }) =>
    Number.isNaN(value) || value < (atLeast ?? -Infinity) ||
    value > (atMost ?? Infinity)
  );
}

/** One sentence on how it ended. */
export function verdict(checks: readonly Check[]): string {
  const bad = failing(checks);
  const spoken = (bad.length > 0 ? bad : checks).map(spokenCheck).join("; ");
  return bad.length > 0 ? `Failed: ${spoken}` : `Passed: ${spoken}`;
}

function spokenCheck({ what, value, atLeast, atMost }: Check): string {
  const wanted = atLeast !== undefined
    ? `at least ${atLeast}`
    : `at most ${atMost}`;
  return `${what} is ${rounded(value)}, wanted ${wanted}`;
}

/** The command that plays a scenario again. */
export function replay(name: string, nodes: number, seed: number): string {
  return `deno task sim -- --scenario ${name} --nodes ${nodes} --seed ${seed}`;
}

/** Four digits that count. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** The end of a story in one city. Bugs of handlers end it at once. */
export function outcomeOf(
  city: City,
  checks: readonly Check[],
  figures: Readonly<Record<string, number>>,
): Outcome {
  const [bug] = city.net.failures;
  if (bug !== undefined) throw bug;
  return {
    checks,
    figures: Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, rounded(value)]),
    ),
    simulatedMs: city.clock.monotonicMs(),
    eventCount: city.trace.eventCount,
    trace: city.trace.digest(),
  };
}

/** The end of a story that took several cities. */
export function joined(
  outcomes: readonly Outcome[],
  checks: readonly Check[],
  figures: Readonly<Record<string, number>>,
): Outcome {
  const trace = new Blake3();
  for (const outcome of outcomes) trace.update(utf8(outcome.trace));
  return {
    checks,
    figures: Object.fromEntries(
      Object.entries(figures).map(([name, value]) => [name, rounded(value)]),
    ),
    simulatedMs: outcomes.reduce((sum, one) => sum + one.simulatedMs, 0),
    eventCount: outcomes.reduce((sum, one) => sum + one.eventCount, 0),
    trace: toHex(trace.digest()),
  };
}
