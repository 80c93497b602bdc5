import { nobleMlDsa } from "@tesseras/crypto";
import { fetch, join, publish, type Role } from "@tesseras/node";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

/** A holder that takes fragments, and falls silent when asked for one. */
const silent = (world: World) => (roles: readonly Role[]) =>
  roles.map((role): Role => ({
    ...role,
    handlers: {
      ...role.handlers,
      get_fragment: (_from, request) =>
        Promise.resolve({
          response: { type: "fragment", bulk: request.length },
          bulk: {
            bytes: request.length,
            // deno-lint-ignore require-yield -- the point of it: no byte ever comes
            async *chunks(signal) {
              await world.clock.sleep(1e9, signal);
            },
          },
        }),
    },
  }));

/** Publishes a coded tessera to these holders and fetches it from a newcomer. */
async function storyOf(world: World, silentCount: number, seed: number) {
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  for (let i = 0; i < silentCount; i++) {
    const holder = await world.add(["store"], { change: silent(world) });
    const entry = world.inhabitants[0]!.node.record().addresses[0]!;
    await world.run(join(holder.node, [entry], never));
  }
  const stores = await world.grow(24 - silentCount, ["store"]);
  const [home] = await world.grow(1, ["dht"]);
  const { id, plan } = await keep(home!, creator(seed), 5_000_000);
  const { node, archive, state } = home!;
  await world.run(
    publish({ node, archive, state, subnetLimit: 2 }, plan, () => {}, never),
  );
  const [newcomer] = await world.grow(1, []);
  const parts = { ...newcomer!, suite: nobleMlDsa };
  const startMs = world.clock.monotonicMs();
  const report = await world.run(fetch(parts, id, () => {}, never));
  const tookMs = world.clock.monotonicMs() - startMs;
  const verified = await newcomer!.archive.verify(id, () => {}, never);
  assertTrue(verified.passed);
  return { plan, report, tookMs, stores };
}

const servedBytes = (stores: readonly Inhabitant[]): number =>
  stores.reduce(
    (sum, { runtime }) => sum + runtime.counters.get("fragment.served_bytes"),
    0,
  );

Deno.test("a fetch from holders in time asks for no fragment more than it needs, and decodes nothing", async () => {
  await using world = new World(11);
  const { plan, report, stores } = await storyOf(world, 0, 11);
  assertEquals([report.used.size, report.rebuiltCount], [16, 0]);
  assertEquals(servedBytes(stores), 16 * plan.shardBytes);
});

Deno.test("a holder that is late is overtaken long before it counts as gone", async () => {
  await using world = new World(12);
  const { report, tookMs } = await storyOf(world, 2, 12);
  assertEquals(report.used.size, 16);
  assertTrue(tookMs < 5_000, `it took ${tookMs} ms`);
});
