/** Every scenario of the simulator at its small size, and every seed that once failed. About a minute of computing in all. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  failing,
  replay,
  type Scenario,
  SCENARIOS,
  verdict,
} from "@tesseras/ops/sim";
import seeds from "./seeds.json" with { type: "json" };

async function hold(scenario: Scenario, nodes: number, seed: number) {
  const outcome = await scenario.run({ nodes, seed });
  assertTrue(
    failing(outcome.checks).length === 0,
    `${verdict(outcome.checks)}. ${replay(scenario.name, nodes, seed)}`,
  );
  return outcome;
}

for (const scenario of SCENARIOS) {
  Deno.test(`${scenario.name}: ${scenario.about}`, async () => {
    await hold(scenario, scenario.smallNodes, 1);
  });
}

for (const { scenario: name, nodes, seed, why } of seeds) {
  Deno.test(`${name} with ${nodes} nodes and seed ${seed}, which once failed: ${why}`, async () => {
    const scenario = SCENARIOS.find((one) => one.name === name);
    assertTrue(scenario !== undefined, `${name} is a scenario`);
    await hold(scenario, nodes, seed);
  });
}

Deno.test("one seed, one history: a scenario played twice sends the same messages at the same times", async () => {
  const scenario = SCENARIOS.find(({ name }) => name === "restart")!;
  const [one, same, other] = [
    await scenario.run({ nodes: 50, seed: 7 }),
    await scenario.run({ nodes: 50, seed: 7 }),
    await scenario.run({ nodes: 50, seed: 8 }),
  ];
  assertEquals(one, same);
  assertTrue(one.trace !== other.trace, "another seed is another history");
  assertTrue(one.eventCount > 10_000, "the history is one of many messages");
});
