/**
 * Fuzzes every reader of untrusted bytes for some seconds each:
 * `deno run -A tests/fuzz/fuzz.ts --seconds 20 --seed 1 [--target wire/decodeMessage]`. A find is printed with its bytes
 * and ends the run with 1; it becomes an invalid vector together with the fix.
 */
import { parseArgs } from "node:util";
import { campaign } from "./campaign.ts";
import { fuzzTargets } from "./targets.ts";

/** How much the process may have grown after all campaigns: far more than populations take, far less than a bomb would. */
const GROWTH_BYTES_MAX = 512 * 1024 * 1024;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    target: { type: "string", default: "" },
  },
});
const all = await fuzzTargets();
const targets = all.filter(({ name }) => name.includes(values.target));
const secondsEach = Number(values.seconds) / targets.length;
if (targets.length === 0 || !(secondsEach > 0)) {
  console.error(
    `Cannot fuzz: wanted --seconds above 0 and a --target among ${
      all.map(({ name }) => name).join(", ")
    }`,
  );
  Deno.exit(2);
}

const startBytes = Deno.memoryUsage().rss;
let hasFind = false;
for (const target of targets) {
  const endMs = performance.now() + 1000 * secondsEach;
  const report = await campaign(target, {
    seed: Number(values.seed),
    iterationsMax: Infinity,
    isOver: () => performance.now() > endMs,
  });
  console.log(JSON.stringify({ target: target.name, ...report }));
  hasFind ||= report.find !== undefined;
}
const grownBytes = Deno.memoryUsage().rss - startBytes;
console.log(JSON.stringify({ grownBytes, grownBytesMax: GROWTH_BYTES_MAX }));
Deno.exit(hasFind || grownBytes > GROWTH_BYTES_MAX ? 1 : 0);
