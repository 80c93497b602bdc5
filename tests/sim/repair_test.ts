/** Tesseras that outlive their holders, in a simulated network under a virtual clock. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf, TesserasError } from "@tesseras/core";
import { join, regard, repair, type Role } from "@tesseras/node";
import { Budget } from "@tesseras/node";
import type { Plan } from "@tesseras/tessera";
import {
  aliveCount,
  busyNowAndThen,
  care,
  copyCount,
  counted,
  DAY_MS,
  fetchAt,
  keptBy,
  publishAt,
  quickTempo,
  until,
} from "./caring.ts";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

async function network(seed: number, holderCount: number, isCaring = true) {
  const world = new World(seed);
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  if (isCaring) stores.forEach((one) => care(one));
  return { world, stores, home: home! };
}

/** Kills holders of a plan until so many fragments are gone with them. */
async function kill(
  world: World,
  plan: Plan,
  fragmentCount: number,
): Promise<void> {
  const before = await aliveCount(world, plan);
  for (const one of (await keptBy(world, plan)).keys()) {
    if (before - await aliveCount(world, plan) >= fragmentCount) return;
    world.crash(one);
  }
}

/** Kills whoever may be killed while so many fragments of each plan live. */
async function killHalf(
  world: World,
  plans: readonly (readonly [Plan, number])[],
): Promise<void> {
  const holders = new Set<Inhabitant>();
  for (const [plan] of plans) {
    for (const one of (await keptBy(world, plan)).keys()) holders.add(one);
  }
  for (const one of holders) {
    const dying = new Set([one]);
    const leaves = await Promise.all(
      plans.map(async ([plan, least]) =>
        await aliveCount(world, plan, dying) >= least
      ),
    );
    if (leaves.every(Boolean)) world.crash(one);
  }
  for (const [plan, least] of plans) {
    assertTrue(await aliveCount(world, plan) <= least + 1);
  }
}

Deno.test("one loss of a whole copy is repaired once, without the owner", async () => {
  const { world, home } = await network(1, 9);
  await using _world = world;
  const { plan } = await keep(home, creator(1), 2_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  const [victim] = (await keptBy(world, plan)).keys();
  world.crash(victim!);
  assertEquals(await aliveCount(world, plan), 6);
  const isWhole = async () => await aliveCount(world, plan) === 7;
  assertTrue(await until(world, 6, isWhole), "repaired within six days");
  const putCount = counted(world, "request.put_fragment");
  await world.clock.advance(3 * DAY_MS);
  assertEquals(counted(world, "request.put_fragment"), putCount);
  assertEquals(await copyCount(world, plan), 7);
  assertEquals(counted(world, "repair.placed"), 1);
});

Deno.test("with the owner gone, half of what may be lost dies, is made anew, and as much dies again", async () => {
  const { world, home } = await network(2, 20);
  await using _world = world;
  const small = await keep(home, creator(2), 2_000);
  const coded = await keep(home, creator(2), 4_300_000);
  await world.run(publishAt(home, small.plan));
  await world.run(publishAt(home, coded.plan));
  world.crash(home);
  for (let wave = 0; wave < 2; wave++) {
    await killHalf(world, [[small.plan, 4], [coded.plan, 20]]);
    const isWhole = async () =>
      await aliveCount(world, small.plan) === 7 &&
      await aliveCount(world, coded.plan) >= 22;
    assertTrue(await until(world, 8, isWhole), `repaired after wave ${wave}`);
  }
  assertTrue(await copyCount(world, coded.plan) <= 24 + 4, "no flood");
  const [newcomer] = await world.grow(1, []);
  for (const { id } of [small, coded]) {
    await world.run(fetchAt(newcomer!, id));
    const report = await newcomer!.archive.verify(id, () => {}, never);
    assertTrue(report.passed);
  }
});

Deno.test("a night of half the holders causes no repair", async () => {
  const { world, home } = await network(3, 9);
  await using _world = world;
  const { plan } = await keep(home, creator(3), 2_000);
  await world.run(publishAt(home, plan));
  await world.clock.advance(2 * DAY_MS);
  const [entry] = world.inhabitants as [Inhabitant];
  const sleepers = [...(await keptBy(world, plan)).keys()].slice(0, 3);
  for (let night = 0; night < 2; night++) {
    const asleep = sleepers.map((one) =>
      world.living.find(({ address }) => address.ip === one.address.ip)!
    );
    asleep.forEach((one) => world.crash(one));
    await world.clock.advance(DAY_MS / 2);
    for (const one of asleep) {
      const awake = await world.restart(one, ["store"]);
      care(awake);
      await world.run(join(awake.node, [entry.address], never));
    }
    await world.clock.advance(DAY_MS / 2);
  }
  assertTrue(counted(world, "care.looks") > 20, "somebody looked");
  assertEquals(counted(world, "repair.begun"), 0);
  assertEquals(await copyCount(world, plan), 7);
});

Deno.test("a holder that cannot prove what it keeps is replaced, though it says it keeps it", async () => {
  const world = new World(4);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  let isCheating = false;
  const cheat = (roles: readonly Role[]) =>
    roles.map((role): Role => ({
      ...role,
      handlers: {
        ...role.handlers,
        audit: (from, request, bulk, signal) => {
          if (!isCheating) {
            return role.handlers.audit!(from, request, bulk, signal);
          }
          throw new TesserasError("absent", "Cannot prove it: it is gone");
        },
      },
    }));
  const [cheater] = await world.grow(1, ["store"], { change: cheat });
  const stores = await world.grow(6, ["store"]);
  const [home] = await world.grow(1, []);
  const { plan } = await keep(home!, creator(4), 2_000);
  await world.run(publishAt(home!, plan));
  world.crash(home!);
  stores.push(...await world.grow(1, ["store"]));
  stores.forEach((one) => care(one));
  isCheating = true;
  const givenCount = () =>
    cheater!.runtime.counters.get("request.put_fragment");
  const before = givenCount();
  const isReplaced = async () => await copyCount(world, plan) === 8;
  assertTrue(await until(world, 6, isReplaced));
  await world.clock.advance(2 * DAY_MS);
  assertEquals(await copyCount(world, plan), 8);
  assertTrue((await keptBy(world, plan)).has(cheater!));
  assertEquals(givenCount(), before);
  assertEquals(counted(world, "repair.placed"), 1);
});

Deno.test("a restart in the middle of a repair goes on with it, and makes nothing twice", async () => {
  const { world, stores, home } = await network(5, 16);
  await using _world = world;
  const { plan } = await keep(home, creator(5), 4_300_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  await kill(world, plan, 5);
  const aliveAtFirst = await aliveCount(world, plan);
  const atWork = () =>
    stores.find(({ runtime }) => runtime.counters.get("repair.begun") > 0);
  let repairer: Inhabitant | undefined;
  for (let step = 0; repairer === undefined && step < 200_000; step++) {
    await world.clock.advance(500);
    repairer = atWork();
  }
  // Let it place one, and take the power away.
  for (let step = 0; step < 10_000; step++) {
    if (await aliveCount(world, plan) > aliveAtFirst) break;
    await world.clock.advance(20);
  }
  const placedCount = await aliveCount(world, plan) - aliveAtFirst;
  assertTrue(placedCount >= 1, "it had begun to place");
  const again = await world.restart(repairer!, ["store"]);
  care(again);
  await world.run(join(again.node, [stores[15]!.address], never));
  const isWhole = async () => await aliveCount(world, plan) >= 22;
  assertTrue(await until(world, 8, isWhole));
  assertTrue(await copyCount(world, plan) <= 24 + 1);
});

Deno.test("two who repair at once waste a few bytes and harm nothing", async () => {
  const { world, home } = await network(6, 10, false);
  await using _world = world;
  const { id, plan } = await keep(home, creator(6), 2_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  const [victim, ...others] = (await keptBy(world, plan)).keys();
  world.crash(victim!);
  const { patience } = quickTempo();
  const both = others.slice(0, 2).map(async (one) => {
    const { node, state, blobs, archive, runtime } = one;
    const budget = new Budget(1e9, runtime.clock);
    const parts = { node, state, blobs, archive, budget, subnetLimit: 2 };
    for (let day = 0; day < 5; day++) {
      await regard({ ...parts, patience }, plan, "whole", never);
      await runtime.clock.sleep(DAY_MS, never);
    }
    const seen = await regard({ ...parts, patience }, plan, "whole", never);
    return await repair(parts, seen, never);
  });
  const reports = await world.run(Promise.all(both));
  assertEquals(reports.map(({ placed }) => placed.length), [1, 1]);
  assertEquals(await aliveCount(world, plan), 7);
  assertTrue(await copyCount(world, plan) <= 9);
  const [newcomer] = await world.grow(1, []);
  await world.run(fetchAt(newcomer!, id));
});

Deno.test("a fragment that rots is made anew where it was, for whom it was kept", async () => {
  const { world, home } = await network(7, 9, false);
  await using _world = world;
  const { plan } = await keep(home, creator(7), 4_300_000);
  await world.run(publishAt(home, plan));
  const [one] = (await keptBy(world, plan)).keys();
  const { state, blobs, runtime } = one!;
  care(one!);
  const [row] = await state.fragmentsOf(plan.tesseraId, never);
  await blobs.remove(row!.blob, never);
  const isHealed = () =>
    Promise.resolve(runtime.counters.get("repair.healed") > 0);
  assertTrue(await until(world, 8, isHealed));
  const healed = await state.fragment(plan.hash, row!.index, never);
  assertEquals(keyOf(healed!.owner!), keyOf(home.node.id));
  assertEquals(await blobs.size(row!.blob, never), plan.shardBytes);
  assertEquals(await copyCount(world, plan), 24);
});

Deno.test("who published looks after it, too, and learns that it is healthy", async () => {
  const { world, home } = await network(8, 9, false);
  await using _world = world;
  const { id, plan } = await keep(home, creator(8), 2_000);
  await world.run(publishAt(home, plan));
  care(home);
  const stateIs = (wanted: string) => async () =>
    (await home.state.publication(id, never))?.state === wanted;
  assertTrue(await until(world, 3, stateIs("healthy")));
  const [victim] = (await keptBy(world, plan)).keys();
  world.crash(victim!);
  // Who is not among the nearest looks once a week.
  assertTrue(await until(world, 8, stateIs("replicated")));
  const isWhole = async () => await aliveCount(world, plan) === 7;
  assertTrue(await until(world, 6, isWhole), "repaired by its publisher");
  assertTrue(await until(world, 9, stateIs("healthy")));
  assertEquals(counted(world, "repair.fetched_bytes"), 0);
});

Deno.test("a node whose own line is down blames nobody", async () => {
  const { world, home } = await network(9, 8, false);
  await using _world = world;
  const { plan } = await keep(home, creator(9), 2_000);
  await world.run(publishAt(home, plan));
  care(home);
  await world.clock.advance(2 * DAY_MS);
  const entries = world.living.filter((one) => one !== home);
  for (const one of entries) world.crash(one);
  await world.clock.advance(4 * DAY_MS);
  const rows = await home.state.care.placements(plan.hash, never);
  assertEquals(rows.filter(({ silence }) => silence !== undefined), []);
  assertTrue(home.runtime.counters.get("care.cut_off") > 0);
});

Deno.test("a repair takes the time its budget gives it, and fetches no more than it needs", async () => {
  const { world, home } = await network(10, 12, false);
  await using _world = world;
  const { plan } = await keep(home, creator(10), 4_300_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  const [repairer] = (await keptBy(world, plan)).keys();
  const own = (await keptBy(world, plan)).get(repairer!)!.length;
  const { node, state, blobs, archive, runtime } = repairer!;
  const budget = new Budget(100_000, runtime.clock);
  const { patience } = quickTempo();
  const parts = { node, state, blobs, archive, budget, subnetLimit: 2 };
  const seen = await world.run(
    regard({ ...parts, patience }, plan, "whole", never),
  );
  assertEquals(seen.health.state, "healthy");
  const wanted = { ...seen.health, replicate: [3] };
  const held = new Map(seen.held);
  held.delete(3);
  const beganMs = world.clock.monotonicMs();
  const report = await world.run(
    repair(parts, { ...seen, health: wanted, held }, never),
  );
  assertEquals(report.placed, [3]);
  assertEquals(report.fetchedBytes, (16 - own) * plan.shardBytes);
  const tookMs = world.clock.monotonicMs() - beganMs;
  const leastMs = (report.fetchedBytes + report.sentBytes) / 100;
  assertTrue(tookMs > 0.9 * leastMs, `${leastMs} ms at least, was ${tookMs}`);
});

Deno.test("where nobody may take anything, nothing is fetched for it", async () => {
  const { world, home } = await network(11, 7, false);
  await using _world = world;
  const { plan } = await keep(home, creator(11), 2_000);
  await world.run(publishAt(home, plan));
  const [repairer, victim] = (await keptBy(world, plan)).keys();
  world.crash(home);
  world.crash(victim!);
  const { node, state, blobs, archive, runtime } = repairer!;
  const budget = new Budget(1e9, runtime.clock);
  const { patience } = quickTempo();
  const parts = { node, state, blobs, archive, budget, subnetLimit: 2 };
  for (let day = 0; day < 5; day++) {
    await world.run(regard({ ...parts, patience }, plan, "whole", never));
    await world.clock.advance(DAY_MS);
  }
  const seen = await world.run(
    regard({ ...parts, patience }, plan, "whole", never),
  );
  assertEquals(seen.health.state, "needsReplication");
  await assertRejectsCode(
    world.run(repair(parts, seen, never)),
    "tooFew",
    /nobody is there to take/,
  );
  assertEquals(runtime.counters.get("repair.begun"), 0);
});

Deno.test("a database that is busy at one call of ten delays a repair and spoils nothing", async () => {
  const { world, stores, home } = await network(12, 10, false);
  await using _world = world;
  for (const one of stores) {
    care(one, busyNowAndThen(one.state, world.random.fork()));
  }
  const { plan } = await keep(home, creator(12), 2_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  const [victim] = (await keptBy(world, plan)).keys();
  world.crash(victim!);
  const isWhole = async () => await aliveCount(world, plan) === 7;
  assertTrue(await until(world, 20, isWhole), "repaired all the same");
  await world.clock.advance(5 * DAY_MS);
  assertTrue(counted(world, "care.failed") > 0);
  assertTrue(await copyCount(world, plan) <= 8);
});
