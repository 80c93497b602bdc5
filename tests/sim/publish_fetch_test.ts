import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf, TesserasError } from "@tesseras/core";
import { nobleMlDsa } from "@tesseras/crypto";
import { fetch, findProviders, join, publish, type Role } from "@tesseras/node";
import { signPlan } from "@tesseras/tessera";
import { creator, type Inhabitant, keep, never, World } from "./world.ts";

/** One entry, one keeper of pointers, then holders. */
async function network(
  seed: number,
  holders: number,
): Promise<{ world: World; home: Inhabitant; stores: Inhabitant[] }> {
  const world = new World(seed);
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const stores = await world.grow(holders, ["store"]);
  const [home] = await world.grow(1, ["dht", "store"]);
  return { world, home: home!, stores };
}

const publishAt = (at: Inhabitant, plan: Parameters<typeof publish>[1]) =>
  publish(
    { node: at.node, archive: at.archive, state: at.state, subnetLimit: 2 },
    plan,
    () => {},
    never,
  );

const fetchAt = (at: Inhabitant, id: Parameters<typeof fetch>[1]) =>
  fetch(
    {
      node: at.node,
      archive: at.archive,
      blobs: at.blobs,
      suite: nobleMlDsa,
    },
    id,
    () => {},
    never,
  );

Deno.test("a small tessera lies as whole copies on seven peers and survives six of them", async () => {
  const { world, home, stores } = await network(1, 9);
  await using _world = world;
  const { id, plan } = await keep(home, creator(1), 2_000);
  const report = await world.run(publishAt(home, plan));
  assertEquals([plan.dataCount, report.holders.size, report.peerCount], [
    1,
    7,
    7,
  ]);
  assertEquals(report.unplaced, []);
  const holders = [...report.holders.values()].map(({ id }) => keyOf(id));
  for (const dead of holders.slice(0, 6)) {
    world.crash(stores.find(({ node }) => keyOf(node.id) === dead)!);
  }
  const [newcomer] = await world.grow(1, []);
  const fetched = await world.run(fetchAt(newcomer!, id));
  assertEquals(fetched.used.size, 1);
  const verified = await newcomer!.archive.verify(id, () => {}, never);
  assertTrue(verified.passed);
});

Deno.test("a coded tessera comes back from any sixteen fragments, and not from fifteen", async () => {
  const { world, home, stores } = await network(2, 24);
  await using _world = world;
  const { id, plan } = await keep(home, creator(2), 5_000_000);
  const report = await world.run(publishAt(home, plan));
  assertEquals([plan.dataCount, plan.parityCount], [16, 8]);
  assertEquals(report.peerCount, 24);
  const holderOf = (index: number) =>
    stores.find(({ node }) =>
      keyOf(node.id) === keyOf(report.holders.get(index)!.id)
    )!;
  for (let index = 0; index < 8; index++) world.crash(holderOf(index));
  const [newcomer, late] = await world.grow(2, []);
  const fetched = await world.run(fetchAt(newcomer!, id));
  assertEquals([fetched.used.size, fetched.rebuiltCount], [16, 8]);
  assertTrue((await newcomer!.archive.verify(id, () => {}, never)).passed);
  world.crash(holderOf(8));
  await assertRejectsCode(
    world.run(fetchAt(late!, id)),
    "tooFew",
    /have 15 of 16 fragments/,
  );
  assertEquals((await late!.archive.list(never)).length, 0);
});

Deno.test("publishing again after a crash sends only what is missing", async () => {
  const { world, home } = await network(3, 9);
  await using _world = world;
  const { plan } = await keep(home, creator(3), 5_000_000);
  const stop = new AbortController();
  let sent = 0;
  await assertRejectsCode(
    world.run(publish(
      {
        node: home.node,
        archive: home.archive,
        state: home.state,
        subnetLimit: 2,
      },
      plan,
      (event) => {
        if (event.type === "sent" && ++sent === 5) stop.abort();
      },
      stop.signal,
    )),
    "cancelled",
  );
  const acked = (await home.state.care.placements(plan.hash, never)).length;
  assertTrue(acked >= 5 && acked < 24, `${acked} acknowledged`);
  const report = await world.run(publishAt(home, plan));
  assertEquals([report.resumedCount, report.holders.size], [acked, 24]);
  assertEquals(report.sentBytes, (24 - acked) * plan.shardBytes);
});

Deno.test("holders that send rubbish, stall or vanish are passed by", async () => {
  const world = new World(4);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const lie =
    (how: "rubbish" | "stall" | "refuse") => (roles: readonly Role[]) =>
      roles.map((role): Role => ({
        ...role,
        handlers: {
          ...role.handlers,
          get_fragment: (_from, request) => {
            if (how === "refuse") {
              throw new TesserasError("absent", "Cannot give it: I forgot");
            }
            return Promise.resolve({
              response: { type: "fragment", bulk: request.length },
              bulk: {
                bytes: request.length,
                async *chunks(signal) {
                  if (how === "stall") await world.clock.sleep(1e9, signal);
                  yield new Uint8Array(request.length).fill(7);
                },
              },
            });
          },
        },
      }));
  for (const how of ["rubbish", "stall", "refuse"] as const) {
    const liar = await world.add(["store"], { change: lie(how) });
    const entry = world.inhabitants[0]!.node.record().addresses[0]!;
    await world.run(join(liar.node, [entry], never));
  }
  await world.grow(9, ["store"]);
  const [home] = await world.grow(1, ["dht"]);
  const { id, plan } = await keep(home!, creator(4), 5_000_000);
  await world.run(publishAt(home!, plan));
  const [newcomer] = await world.grow(1, []);
  const fetched = await world.run(fetchAt(newcomer!, id));
  assertEquals(fetched.used.size, 16);
  assertTrue((await newcomer!.archive.verify(id, () => {}, never)).passed);
});

Deno.test("a made-up plan for somebody's tessera is tried and thrown away", async () => {
  const { world, home, stores } = await network(5, 9);
  await using _world = world;
  const { id, plan } = await keep(home, creator(5), 3_000);
  await world.run(publishAt(home, plan));
  // A stranger signs a plan of other bytes for the same tessera and gives it to honest holders.
  const stranger = stores[0]!;
  const other = await keep(stranger, creator(66), 7_000);
  const forged = signPlan({ ...other.plan, tesseraId: id }, creator(66));
  await world.run(publish(
    {
      node: stranger.node,
      archive: {
        openFragment: (_plan, index, signal) =>
          stranger.archive.openFragment(other.plan, index, signal),
      },
      state: stranger.state,
      subnetLimit: 2,
    },
    forged,
    () => {},
    never,
  ));
  assertEquals(
    (await world.run(findProviders(home.node, id, never))).length,
    14,
  );
  const [newcomer] = await world.grow(1, []);
  const fetched = await world.run(fetchAt(newcomer!, id));
  assertEquals(keyOf(fetched.planHash), keyOf(plan.hash));
  assertTrue((await newcomer!.archive.verify(id, () => {}, never)).passed);
});

Deno.test("pointers expire a day after their holders fell silent", async () => {
  const { world, home, stores } = await network(6, 8);
  await using _world = world;
  const { id, plan } = await keep(home, creator(6), 2_000);
  await world.run(publishAt(home, plan));
  const found = await world.run(findProviders(home.node, id, never));
  assertEquals(found.length, 7);
  for (const store of stores) world.crash(store);
  await world.clock.advance(25 * 3_600_000);
  assertEquals(await world.run(findProviders(home.node, id, never)), []);
  assertEquals(await home.state.pointerCount(never), 0);
});

Deno.test("holders announce themselves every hour without the publisher", async () => {
  const { world, home } = await network(7, 8);
  await using _world = world;
  const { id, plan } = await keep(home, creator(7), 2_000);
  await world.run(publishAt(home, plan));
  world.crash(home);
  await world.clock.advance(26 * 3_600_000);
  const [newcomer] = await world.grow(1, []);
  const fetched = await world.run(fetchAt(newcomer!, id));
  assertEquals(fetched.used.size, 1);
});

Deno.test("nobody to ask and nothing published are told apart", async () => {
  const world = new World(8);
  await using _world = world;
  const [alone] = await world.grow(1, ["dht", "store"]);
  const { id, plan } = await keep(alone!, creator(8), 2_000);
  await assertRejectsCode(
    world.run(publishAt(alone!, plan)),
    "tooFew",
    /no peer that stores/,
  );
  const [other] = await world.grow(1, []);
  await assertRejectsCode(
    world.run(fetchAt(other!, id)),
    "absent",
    /no peer says/,
  );
});

Deno.test("one seed, one history: a publish and a fetch leave the same trace twice", async () => {
  const run = async (): Promise<string> => {
    const lines: string[] = [];
    const world = new World(9, {
      latencyMs: [5, 80],
      lossRate: 0.02,
      trace: (event) => lines.push(JSON.stringify(event)),
    });
    await using _world = world;
    await world.grow(1, ["bootstrap"]);
    await world.grow(1, ["dht"]);
    await world.grow(8, ["store"]);
    const [home] = await world.grow(1, ["dht"]);
    const { id, plan } = await keep(home!, creator(9), 50_000);
    await world.run(publishAt(home!, plan));
    const [newcomer] = await world.grow(1, []);
    await world.run(fetchAt(newcomer!, id));
    return lines.join("\n");
  };
  const first = await run();
  assertTrue(first.length > 10_000);
  assertTrue(first === await run(), "the traces differ");
});
