/**
 * Holders that die for good, a hundred times as long as the processes of `deno task endure` can be waited for:
 * `deno task endure:sim -- [--copies N] [--medium N] [--large N] [--stores N] [--rounds N] [--seconds S] [--seed S] [--json]`. No round
 * begins after so many seconds; what was played until then is told.
 */
import { parseArgs } from "node:util";
import { endure } from "./endurance.ts";

/** Numbers that may be asked for: what is usual, least and most. */
const WISHES = {
  copies: [2, 0, 1_000],
  medium: [1, 0, 100],
  large: [0, 0, 4],
  stores: [12, 8, 500],
  rounds: [200, 1, 100_000],
  seconds: [86_400, 1, 10 * 86_400],
  seed: [1, 0, 2 ** 32 - 1],
} as const;
type Wishes = Record<keyof typeof WISHES, number>;

/** @throws {RangeError} for a number that is not allowed */
function wishes(
  args: readonly string[],
): { readonly wanted: Wishes; readonly json: boolean } {
  const names = Object.keys(WISHES) as (keyof Wishes)[];
  const texts = names.map((name) => [name, { type: "string" }] as const);
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"),
    options: {
      ...Object.fromEntries(texts),
      json: { type: "boolean", default: false },
    },
  });
  const given: Readonly<Record<string, unknown>> = values;
  const entries = names.map((name) => {
    const [usual, least, most] = WISHES[name];
    const value = Number(given[name] ?? usual);
    if (value >= least && value <= most) return [name, value] as const;
    throw new RangeError(
      `--${name} is ${given[name]}, wanted ${least} to ${most}`,
    );
  });
  const wanted = Object.fromEntries(entries) as Wishes;
  return { wanted, json: given.json === true };
}

const { wanted, json } = wishes(Deno.args);
const { copies, medium, large, stores, rounds, seconds, seed } = wanted;
const startMs = performance.now();
const endured = await endure(
  {
    seed,
    tesseras: { copies, medium, large },
    stores,
    rounds,
    isOver: () => performance.now() - startMs > 1_000 * seconds,
  },
  (line) => json || console.log(line),
);
const realSeconds = Math.round((performance.now() - startMs) / 1_000);
console.log(
  JSON.stringify({ name: "endurance", ...wanted, ...endured, realSeconds }),
);
