/** A walk through every operation of a story: at each, every fault that can befall it, in a world of its own. */
import { messageOf, SeededRandom, shuffled } from "@tesseras/core";
import { type Cut, faultsOf, type Operation } from "./life.ts";
import { play, type Story } from "./story.ts";
import type { Tally } from "./tally.ts";

/** How a story is walked. */
export type WalkOrder = {
  readonly story: Story;
  readonly seed: number;
  /** Cuts made at most, drawn by the seed; all of them where there are not more. */
  readonly cutsMax: number;
  readonly tally: Tally;
};

/** A cut at which something was wrong. */
export type Finding = {
  readonly story: string;
  readonly seed: number;
  readonly cut?: Cut | undefined;
  readonly operation?: string;
  readonly what: string;
};

/** What a walk came to. */
export type Walked = {
  readonly operationCount: number;
  readonly cutCount: number;
  readonly findings: readonly Finding[];
};

/** Walks. It goes on after a finding, so that one run shows all there are. */
export async function walk(
  { story, seed, cutsMax, tally }: WalkOrder,
): Promise<Walked> {
  const operations = await undisturbed({ story, seed, cut: undefined, tally });
  if (typeof operations === "string") {
    const finding = { story: story.name, seed, what: operations };
    return { operationCount: 0, cutCount: 0, findings: [finding] };
  }
  const cuts = cutsOf(operations);
  const random = new SeededRandom(seed);
  const chosen = drawn(cuts, operations, { countMax: cutsMax, random });
  const findings: Finding[] = [];
  for (const cut of chosen) {
    const operation = operations[cut.at]!;
    tally.operationsWalked++;
    const what = await problemOf({ story, seed, cut, tally }, operation);
    if (what === undefined) continue;
    const { name } = operation;
    findings.push({ story: story.name, seed, cut, operation: name, what });
  }
  const operationCount = operations.length;
  return { operationCount, cutCount: chosen.length, findings };
}

/** Plays a story in which nothing goes wrong. @returns its operations, or what was wrong all the same */
async function undisturbed(
  order: Parameters<typeof play>[0],
): Promise<readonly Operation[] | string> {
  try {
    return (await play(order)).operations;
  } catch (error) {
    return messageOf(error);
  }
}

/** Plays one cut. @returns what was wrong */
export async function problemOf(
  order: Parameters<typeof play>[0],
  operation?: Operation,
): Promise<string | undefined> {
  try {
    const { operations, isMet } = await play(order);
    if (order.cut === undefined) return undefined;
    if (!isMet) {
      return "the operation did not come: one seed gave two histories";
    }
    const { name } = operations[order.cut.at]!;
    if (operation === undefined || operation.name === name) return undefined;
    return `${name} came instead of ${operation.name}: one seed gave two histories`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Every cut there is. */
export function cutsOf(operations: readonly Operation[]): readonly Cut[] {
  return operations.flatMap((operation, at) =>
    faultsOf(operation).map((fault) => ({ at, fault }))
  );
}

/**
 * So many of all, by turns one of each operation: what is read a hundred times must not crowd out the one write that deletes.
 */
function drawn(
  cuts: readonly Cut[],
  operations: readonly Operation[],
  { countMax, random }: {
    readonly countMax: number;
    readonly random: SeededRandom;
  },
): readonly Cut[] {
  if (cuts.length <= countMax) return cuts;
  const byName = Map.groupBy(
    shuffled(cuts, random),
    ({ at }) => operations[at]!.name,
  );
  const groups = shuffled([...byName.values()], random)
    // Those that change something first: few cuts are to be good ones.
    .sort((a, b) =>
      Number(operations[b[0]!.at]!.writes) -
      Number(operations[a[0]!.at]!.writes)
    );
  const chosen: Cut[] = [];
  for (let turn = 0; chosen.length < countMax; turn++) {
    chosen.push(...groups.flatMap((group) => group[turn] ?? []));
  }
  return chosen.slice(0, countMax);
}
