/** A repair that a restart interrupts, in a simulated network under a virtual clock. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Budget, join, regard, repair } from "@tesseras/node";
import { keptBy, publishAt, quickTempo } from "./caring.ts";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

Deno.test("a repair that is stopped halfway keeps what it fetched, and leaves nothing when it is done", async () => {
  const world = new World(13);
  await using _world = world;
  const [entry] = await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  await world.grow(12, ["store"]);
  const home = (await world.grow(1, []))[0]!;
  const { plan } = await keep(home, creator(13), 4_300_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  const [before] = (await keptBy(world, plan)).keys();
  const own = (await keptBy(world, plan)).get(before!)!.length;
  const parts = ({ node, state, blobs, archive, runtime }: Inhabitant) => ({
    node,
    state,
    blobs,
    archive,
    // A fragment in some seconds.
    budget: new Budget(50_000, runtime.clock),
    subnetLimit: 2,
  });
  const { patience } = quickTempo();
  const look = async (one: Inhabitant) => {
    const seen = await world.run(
      regard({ ...parts(one), patience }, plan, "whole", never),
    );
    const held = new Map(seen.held);
    held.delete(3);
    return { ...seen, health: { ...seen.health, replicate: [3] }, held };
  };
  const kept = async ({ blobs }: Inhabitant) => {
    const sizes = await Promise.all(
      plan.fragments.map((hash) => blobs.size(hash, never)),
    );
    return sizes.filter((size) => size !== undefined).length;
  };
  const stop = new AbortController();
  const stopped = repair(parts(before!), await look(before!), stop.signal)
    .catch(() => "stopped");
  for (let step = 0; await kept(before!) < own + 5; step++) {
    assertTrue(step < 1_000, "fragments come");
    await world.clock.advance(1_000);
  }
  stop.abort();
  assertEquals(await world.run(stopped), "stopped");
  const count = await kept(before!);
  const again = await world.restart(before!, ["store"]);
  await world.run(join(again.node, [entry!.address], never));
  const report = await world.run(
    repair(parts(again), await look(again), never),
  );
  // Two more may have been on their way when there were enough.
  const most = (16 - count + 2) * plan.shardBytes;
  assertTrue(report.fetchedBytes <= most, `${report.fetchedBytes} of ${most}`);
  assertTrue(most < (16 - own) * plan.shardBytes);
  assertEquals(await kept(again), own);
});
