/**
 * Thirty tesseras of all tiers, their owner and half of the tolerated holders gone for good, twice, and every byte on a new node:
 * `deno task endure -- [--copies N] [--medium N] [--large N] [--stores N] [--waves N] [--interval S] [--share P] [--seed S]`.
 * One JSON line at the end.
 */
import { parseArgs } from "node:util";
import { SeededRandom } from "@tesseras/core";
import { endure } from "./endurance.ts";
import { freshSeed } from "./long_run.ts";

/** Numbers that may be asked for: what is usual, least and most. */
const WISHES = {
  copies: [20, 0, 1_000],
  medium: [9, 0, 100],
  large: [1, 0, 4],
  stores: [14, 8, 64],
  waves: [2, 1, 100],
  interval: [30, 10, 86_400],
  share: [0.5, 0.1, 1],
  seed: [freshSeed(), 0, 2 ** 32 - 1],
} as const;
type Wishes = Record<keyof typeof WISHES, number>;

/** @throws {RangeError} for a number that is not allowed */
function wishes(args: readonly string[]): Wishes {
  const names = Object.keys(WISHES) as (keyof Wishes)[];
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"),
    options: Object.fromEntries(
      names.map((name) => [name, { type: "string" }] as const),
    ),
  });
  const entries = names.map((name) => {
    const [usual, least, most] = WISHES[name];
    const value = Number(values[name] ?? usual);
    if (value >= least && value <= most) return [name, value] as const;
    throw new RangeError(
      `--${name} is ${values[name]}, wanted ${least} to ${most}`,
    );
  });
  return Object.fromEntries(entries) as Wishes;
}

const { copies, medium, large, stores, waves, interval, share, seed } = wishes(
  Deno.args,
);
const stop = new AbortController();
Deno.addSignalListener("SIGINT", () => stop.abort());
console.log(`endurance: --seed ${seed}`);
const startMs = performance.now();
const endured = await endure(
  {
    tesseras: { copies, medium, large },
    stores,
    waves,
    share,
    intervalSeconds: interval,
  },
  new SeededRandom(seed),
  (line) => console.log(line),
  stop.signal,
);
const seconds = Math.round((performance.now() - startMs) / 1_000);
console.log(JSON.stringify({
  name: "endurance",
  seed,
  stores,
  share,
  intervalSeconds: interval,
  ...endured,
  seconds,
  ok: true,
}));
Deno.exit(0);
