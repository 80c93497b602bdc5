/** Fuzzing one target: mutate what did something new, and watch every promise. */
import { getHeapStatistics } from "node:v8";
import { codeOf, equal, messageOf, SeededRandom, toHex } from "@tesseras/core";
import { mutate } from "./mutate.ts";
import {
  ALLOCATED_BYTES,
  ALLOCATED_PER_BYTE,
  type FuzzTarget,
} from "./target.ts";

/** When to stop. */
export type CampaignLimits = {
  readonly seed: number;
  readonly iterationsMax: number;
  /** Asked now and then; `true` ends the campaign. */
  readonly isOver: () => boolean;
};

/** An input that broke a promise. */
export type Find = {
  readonly target: string;
  readonly iteration: number;
  readonly hex: string;
  readonly problem: string;
};

/** What came of it. */
export type CampaignReport = {
  readonly iterations: number;
  readonly accepted: number;
  /** Inputs that did something no earlier one did. */
  readonly behaviours: number;
  readonly find: Find | undefined;
};

/** Inputs kept for mutating, and ways to refuse told apart. */
const POPULATION_MAX = 4_000;

/** Fuzzes until a limit or the first find. */
export async function campaign(
  target: FuzzTarget,
  limits: CampaignLimits,
): Promise<CampaignReport> {
  const random = new SeededRandom(limits.seed);
  const population = [...target.corpus];
  const behaviours = new Set<string>();
  let accepted = 0;
  let iteration = 0;
  const report = (find?: Find): CampaignReport => ({
    iterations: iteration,
    accepted,
    behaviours: behaviours.size,
    find,
  });
  for (; iteration < limits.iterationsMax; iteration++) {
    if (iteration % 64 === 0 && limits.isOver()) break;
    // Half of the time from the corpus alone: what was refused once tends to be refused for the same thing again.
    const pick = (): Uint8Array => {
      const from = random.below(2) === 0 ? target.corpus : population;
      return from[random.below(from.length)]!;
    };
    // The corpus itself comes first, unchanged: it may already break a promise.
    const input = iteration < target.corpus.length
      ? target.corpus[iteration]!
      : mutate(pick(), random, pick());
    const outcome = await judge(target, input);
    if (outcome.problem !== undefined) {
      return report({
        target: target.name,
        iteration,
        hex: toHex(input),
        problem: outcome.problem,
      });
    }
    if (outcome.isAccepted) accepted++;
    if (
      behaviours.size < POPULATION_MAX && !behaviours.has(outcome.behaviour)
    ) {
      behaviours.add(outcome.behaviour);
      population.push(input);
    }
  }
  return report();
}

type Outcome = {
  readonly isAccepted: boolean;
  /** A text that is equal for inputs which took the same way through the reader, as far as its words tell. */
  readonly behaviour: string;
  readonly problem?: string;
};

/** How often an input is read again that took too much memory: the engine's own growth does not repeat itself. */
const MEASURED_MAX = 4;

/** Reads one input and compares what happened with what the target promises. */
export async function judge(
  target: FuzzTarget,
  input: Uint8Array,
): Promise<Outcome> {
  const perByte = target.allocatedPerByte ?? ALLOCATED_PER_BYTE;
  const atLeast = target.allocatedBytes ?? ALLOCATED_BYTES;
  const allocatedMax = atLeast + perByte * input.length;
  for (let count = 1;; count++) {
    const startBytes = allocatedNow();
    const outcome = await judgeOnce(target, input);
    // A collection in between makes this less; a bomb would have to meet one each time.
    const allocated = allocatedNow() - startBytes;
    if (allocated <= allocatedMax || outcome.problem !== undefined) {
      return outcome;
    }
    if (count === MEASURED_MAX) {
      const problem =
        `took ${allocated} bytes of memory for ${input.length}, at most ${allocatedMax}`;
      return { ...outcome, problem };
    }
  }
}

/** Bytes on the heap and in array buffers. */
function allocatedNow(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

async function judgeOnce(
  target: FuzzTarget,
  input: Uint8Array,
): Promise<Outcome> {
  const before = input.slice();
  let written: Uint8Array;
  try {
    written = await target.rewrite(input);
  } catch (error) {
    return { ...refusal(target, error), isAccepted: false };
  }
  const behaviour = `accepted ${Math.clz32(input.length)}`;
  const broken = (problem: string): Outcome => ({
    isAccepted: true,
    behaviour,
    problem,
  });
  if (!equal(before, input)) return broken("the reader changed its argument");
  if (target.isExact && !equal(written, input)) {
    return broken(`accepted, but written back as ${toHex(written)}`);
  }
  try {
    const again = await target.rewrite(written);
    if (!equal(again, written)) {
      return broken(`written back as ${toHex(written)}, then differently`);
    }
  } catch (error) {
    return broken(`accepted, but not what it wrote: ${messageOf(error)}`);
  }
  return { isAccepted: true, behaviour };
}

function refusal(
  target: FuzzTarget,
  error: unknown,
): { readonly behaviour: string; readonly problem?: string } {
  const code = codeOf(error);
  const text = messageOf(error);
  // Numbers and quoted input would make every refusal look new.
  const behaviour = `${code} ${text.replace(/"[^]*"|\d+/g, "0")}`;
  if (code !== undefined && target.refuses.includes(code)) return { behaviour };
  const stack = error instanceof Error ? error.stack : undefined;
  return { behaviour, problem: `threw ${code ?? "a bug"}: ${stack ?? text}` };
}
