/** A piece of what nodes do, played from beginning to end with a fault at one operation of one of them. */
import { type Cut, fateOf, type Life, type Operation } from "./life.ts";
import { type Machine, Machines } from "./machines.ts";
import type { Tally } from "./tally.ts";

/** What a story is played with. */
export type Stage = {
  readonly machines: Machines;
  readonly seed: number;
  /** Begins to count the operations of a process; the fault befalls one of these. Called once. */
  readonly arm: (machine: Machine) => void;
};

/** What nodes do, and what must have come of it. It throws when that is not so. */
export type Story = {
  readonly name: string;
  readonly play: (stage: Stage) => Promise<void>;
};

/** What was counted while a story was played. */
export type Played = {
  /** Every operation of the process that was armed, in order, until it died. */
  readonly operations: readonly Operation[];
  /** Whether there was an operation of that number. */
  readonly isMet: boolean;
};

/** Plays a story in a world of its own. @throws whatever was found to be wrong */
export async function play(
  { story, seed, cut, tally }: {
    readonly story: Story;
    readonly seed: number;
    readonly cut: Cut | undefined;
    readonly tally: Tally;
  },
): Promise<Played> {
  tally.runs++;
  await using machines = new Machines(seed, tally);
  let life: Life | undefined;
  const arm = (machine: Machine): void => {
    life = machine.up.life;
    life.arm(fateOf(cut));
  };
  await story.play({ machines, seed, arm });
  await machines.oracle.checkAll(machines.all);
  const operations = [...life?.operations ?? []];
  const isMet = cut !== undefined && cut.at < operations.length;
  if (isMet && (cut.fault === "before" || cut.fault === "after")) tally.kills++;
  return { operations, isMet };
}
