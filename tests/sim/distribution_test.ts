/** Publications that go on by themselves, in a simulated network under a virtual clock. */
import { nobleMlDsa } from "@tesseras/crypto";
import { Publisher } from "@tesseras/node";
import { join } from "@tesseras/node";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { aliveCount, counted, publishAt } from "./caring.ts";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

async function network(seed: number, holderCount: number) {
  const world = new World(seed);
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const stores = await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  return { world, stores, home: home! };
}

function publisherAt({ node, archive, state }: Inhabitant): Publisher {
  const suite = nobleMlDsa;
  const publisher = new Publisher({
    node,
    archive,
    state,
    suite,
    subnetLimit: 2,
    retryMs: 10_000,
  });
  node.spawn((signal) => publisher.runForever(signal));
  return publisher;
}

Deno.test("what found no holder finds one when peers come, without anybody asking again", async () => {
  const { world, home } = await network(1, 4);
  await using _world = world;
  const { id, plan } = await keep(home, creator(1), 2_000);
  const publisher = publisherAt(home);
  const report = await world.run(publisher.publish(plan, () => {}, never));
  assertEquals(report.unplaced.length, 3);
  assertEquals((await home.state.publication(id, never))?.state, "publishing");
  await world.grow(4, ["store"]);
  await world.clock.advance(15 * 60_000);
  assertEquals(await aliveCount(world, plan), 7);
  assertEquals((await home.state.publication(id, never))?.state, "replicated");
  const retriedCount = counted(world, "publish.retried");
  await world.clock.advance(3_600_000);
  assertEquals(counted(world, "publish.retried"), retriedCount);
});

Deno.test("a publication that was broken off goes on after a restart", async () => {
  const { world, stores, home } = await network(2, 9);
  await using _world = world;
  const { plan } = await keep(home, creator(2), 4_300_000);
  const stop = new AbortController();
  let sentCount = 0;
  await assertRejectsCode(
    world.run(
      publisherAt(home).publish(plan, (event) => {
        if (event.type === "sent" && ++sentCount === 5) stop.abort();
      }, stop.signal),
    ),
    "cancelled",
  );
  const again = await world.restart(home, []);
  await world.run(join(again.node, [world.inhabitants[0]!.address], never));
  publisherAt(again);
  await world.clock.advance(10 * 60_000);
  assertEquals(await aliveCount(world, plan), 24);
  const storedCount = stores.reduce(
    (sum, { runtime }) => sum + runtime.counters.get("fragment.stored"),
    0,
  );
  assertEquals(storedCount, 24);
});

Deno.test("holders of an earlier try that died since are not counted, and those that lost a fragment are told apart", async () => {
  const { world, stores, home } = await network(3, 12);
  await using _world = world;
  const { plan } = await keep(home, creator(3), 2_000);
  const first = await world.run(publishAt(home, plan));
  assertEquals(first.holders.size, 7);
  const at = (index: number) =>
    stores.find(({ node }) =>
      node.id.every((byte, i) => byte === first.holders.get(index)!.id[i])
    )!;
  world.crash(at(0));
  await at(1).state.removeFragment(plan.hash, 1, never);
  const second = await world.run(publishAt(home, plan));
  assertEquals([second.resumedCount, second.holders.size], [5, 7]);
  assertEquals(second.unplaced, []);
  assertEquals(await aliveCount(world, plan), 7);
  const rows = await home.state.care.placements(plan.hash, never);
  const lost = rows.filter(({ lostAtMs }) => lostAtMs !== undefined);
  assertTrue(lost.length <= 1, "who is silent is not called lost");
  assertEquals(home.runtime.counters.get("publish.holder_silent"), 1);
});

Deno.test("two who publish the same at once send it once", async () => {
  const { world, home } = await network(4, 9);
  await using _world = world;
  const { plan } = await keep(home, creator(4), 4_300_000);
  const publisher = publisherAt(home);
  const reports = await world.run(Promise.all([
    publisher.publish(plan, () => {}, never),
    publisher.publish(plan, () => {}, never),
  ]));
  assertEquals(reports.map(({ resumedCount }) => resumedCount), [0, 24]);
  assertEquals(counted(world, "request.put_fragment"), 24);
});
