import { assertEquals } from "@tesseras/testing";
import { creator, keep, never, World } from "@tesseras/testing/sim";
import { nobleMlDsa } from "@tesseras/crypto";
import { fetch } from "./fetch.ts";
import { publish } from "./publish.ts";

Deno.test("who fetches what it keeps for others uses its own fragments, whole copies and coded ones", async () => {
  for (const bytes of [2_000, 5_000_000]) {
    const world = new World(1);
    await using _world = world;
    await world.grow(2, ["dht"]);
    const [holder] = await world.grow(1, ["store"]);
    const [home] = await world.grow(1, []);
    const { id, plan } = await keep(home!, creator(1), bytes);
    const parts = { ...home!, subnetLimit: undefined };
    await world.run(publish(parts, plan, () => {}, never));
    const fetching = { ...holder!, suite: nobleMlDsa };
    const report = await world.run(fetch(fetching, id, () => {}, never));
    assertEquals(report.failedCount, 0);
    assertEquals(report.used.size, plan.dataCount);
  }
});
