import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { hash, keyOf, tesseraId } from "@tesseras/core";
import { findProviders } from "./providers.ts";
import { publish } from "./publish.ts";
import type { Role } from "./role.ts";
import type { PublishEvent, PublishParts } from "./sender.ts";
import { signProviderRecord } from "@tesseras/wire";
import type { Plan } from "@tesseras/tessera";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { join } from "./join.ts";

async function network(world: World, holderCount: number) {
  await world.grow(1, ["bootstrap"]);
  await world.grow(1, ["dht"]);
  const stores = await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  return { home: home!, stores };
}

function publishAt(
  { node, archive, state }: Inhabitant,
  plan: Plan,
  change: Partial<PublishParts> = {},
  onEvent: (event: PublishEvent) => void = () => {},
) {
  const parts = { node, archive, state, subnetLimit: 2, ...change };
  return publish(parts, plan, onEvent, never);
}

type Word = "tessera" | "plan" | "index" | "old";

/** Adds a store that takes fragments and signs for something else. */
async function addLiar(world: World, how: Word): Promise<Inhabitant> {
  const one = await world.add(["store"], {
    change: (roles, node) =>
      roles.map((role): Role => ({
        ...role,
        handlers: {
          ...role.handlers,
          put_fragment: async (from, request, bulk, signal) => {
            const reply = await role.handlers.put_fragment!(
              from,
              request,
              bulk,
              signal,
            );
            if (reply.response.type !== "kept") return reply;
            const nowMs = world.clock.nowMs();
            const true_ = node.records.provider(reply.response.provider, nowMs);
            const sequence = how === "old" ? nowMs - 7_200_000 : nowMs;
            const { bytes: provider } = signProviderRecord({
              tesseraId: how === "tessera"
                ? tesseraId(new Uint8Array(32))
                : true_.tesseraId,
              planHash: how === "plan"
                ? hash(new Uint8Array(32))
                : true_.planHash,
              indices: how === "index" ? [71] : true_.indices,
              sequence,
              expiresAtMs: sequence + 3_600_000,
            }, node.identity);
            return { response: { type: "kept", provider } };
          },
        },
      })),
  });
  await world.run(join(one.node, [world.inhabitants[0]!.address], never));
  return one;
}

Deno.test("holders that sign for another tessera, plan, index or time are not counted", async () => {
  const world = new World(1);
  await using _world = world;
  const { home } = await network(world, 7);
  const liars: string[] = [];
  for (const how of ["tessera", "plan", "index", "old"] as const) {
    liars.push(keyOf((await addLiar(world, how)).node.id));
  }
  const { plan } = await keep(home, creator(1), 5_000_000);
  const report = await world.run(publishAt(home, plan));
  assertEquals(report.unplaced, []);
  const holders = [...report.holders.values()].map(({ id }) => keyOf(id));
  assertTrue(holders.every((holder) => !liars.includes(holder)));
  const { counters } = home.runtime;
  assertTrue(counters.get("publish.misfit") >= 3);
  assertTrue(counters.get("publish.holder_failed") >= 4);
});

Deno.test("a fragment that this disk cannot give is no holder's fault", async () => {
  const world = new World(2);
  await using _world = world;
  const { home } = await network(world, 7);
  const { plan } = await keep(home, creator(2), 10_000_000);
  let retryCount = 0;
  const onEvent = (event: PublishEvent) => {
    if (event.type === "retry") retryCount++;
  };
  const { archive } = home;
  const without: PublishParts["archive"] = {
    openFragment: (plan, index, signal) =>
      index === 20
        ? Promise.resolve(undefined)
        : archive.openFragment(plan, index, signal),
  };
  await assertRejectsCode(
    world.run(publishAt(home, plan, { archive: without }, onEvent)),
    "missing",
    /fragment 20: it is not on this disk/,
  );
  const short: PublishParts["archive"] = {
    openFragment: async (plan, index, signal) => {
      const reader = await archive.openFragment(plan, index, signal);
      return reader && index === 21
        ? {
          bytes: reader.bytes,
          read: (at, into, signal) =>
            at > 0 ? Promise.resolve(0) : reader.read(at, into, signal),
          [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
        }
        : reader;
    },
  };
  await assertRejectsCode(
    world.run(publishAt(home, plan, { archive: short }, onEvent)),
    "corrupt",
    /it ends after/,
  );
  assertEquals(retryCount, 0);
  // What was acknowledged before stays, and the rest goes on from there.
  const report = await world.run(publishAt(home, plan));
  assertEquals(report.holders.size, 24);
  assertTrue(report.resumedCount > 0);
});

Deno.test("a placement that can no longer be read is placed anew", async () => {
  const world = new World(3);
  await using _world = world;
  const { home, stores } = await network(world, 8);
  const { id, plan } = await keep(home, creator(3), 2_000);
  await home.state.putPlacements([{
    planHash: plan.hash,
    index: 0,
    holder: stores[0]!.node.id,
    record: new Uint8Array(9),
    ackedAtMs: world.clock.nowMs(),
  }], never);
  const report = await world.run(publishAt(home, plan));
  assertEquals([report.resumedCount, report.holders.size], [0, 7]);
  const { counters } = home.runtime;
  assertEquals(counters.get("publish.placement_unreadable"), 1);
  assertEquals(
    (await world.run(findProviders(home.node, id, never))).length,
    7,
  );
});
