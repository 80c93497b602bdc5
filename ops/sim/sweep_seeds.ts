/** Plays every scenario at its small size with many seeds, and prints each that fails as an entry for tests/sim/seeds.json. */
import { failing, replay, verdict } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

if (import.meta.main) {
  const [first, last] = [Number(Deno.args[0] ?? 1), Number(Deno.args[1] ?? 10)];
  for (let seed = first; seed <= last; seed++) {
    for (const { name, smallNodes: nodes, run } of SCENARIOS) {
      const { checks } = await run({ nodes, seed });
      if (failing(checks).length === 0) continue;
      const why = verdict(checks);
      console.log(JSON.stringify({ scenario: name, nodes, seed, why }));
      console.error(`Replay with: ${replay(name, nodes, seed)}`);
    }
  }
}
