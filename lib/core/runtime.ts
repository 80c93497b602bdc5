/** What every part takes from outside instead of reaching for it: time, randomness, log and counters. */
import type { Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";

/** The world as a part sees it. Real in a process, seeded and virtual in a simulation. */
export type Runtime = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
};
