import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { hash, keyOf, tesseraId, toHex } from "@tesseras/core";
import { findProviders } from "./providers.ts";
import { publish } from "./publish.ts";
import type { Role } from "./role.ts";
import type { PublishEvent, PublishParts } from "./sender.ts";
import type { Plan } from "@tesseras/tessera";
import {
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { CAPABILITIES, signProviderRecord } from "@tesseras/wire";
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
  await home.state.care.putPlacements([{
    planHash: plan.hash,
    index: 0,
    holder: stores[0]!.node.id,
    record: new Uint8Array(9),
    bytes: plan.shardBytes,
    ackedAtMs: world.clock.nowMs(),
    lastSeenMs: world.clock.nowMs(),
    lostAtMs: undefined,
    provedSinceMs: world.clock.nowMs(),
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

/** Fragments by who holds them, the most first. */
function loads(holders: ReadonlyMap<number, { readonly id: Uint8Array }>) {
  const counts = new Map<string, number>();
  for (const { id } of holders.values()) {
    const key = toHex(id);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts.values()].sort((a, b) => b - a);
}

Deno.test("holders whose share is full and holders that die on the way are replaced by others", async () => {
  const world = new World(4);
  await using _world = world;
  const { home } = await network(world, 6);
  const full = await world.grow(2, ["store"], { store: { perPeerMax: 9 } });
  const [dying] = await world.grow(1, ["store"], {
    change: (roles) =>
      roles.map((role): Role => ({
        ...role,
        handlers: {
          ...role.handlers,
          put_fragment: async (_from, _request, bulk, signal) => {
            await bulk!.read(signal);
            world.crash(dying!);
            await world.clock.sleep(1e9, signal);
            throw new Error("somebody waited for the dead");
          },
        },
      })),
  });
  const { plan } = await keep(home, creator(4), 5_000_000);
  const retried = new Set<string>();
  const report = await world.run(publishAt(home, plan, {}, (event) => {
    if (event.type === "retry") retried.add(keyOf(event.holder));
  }));
  const failing = [...full, dying!].map(({ node }) => keyOf(node.id)).sort();
  assertEquals([...retried].sort(), failing);
  assertEquals([report.unplaced, report.peerCount], [[], 6]);
  assertEquals(loads(report.holders).reduce((sum, one) => sum + one), 24);
});

Deno.test("with too few who take anything a publish says why, and goes on later from what was placed", async () => {
  const world = new World(5);
  await using _world = world;
  const { home } = await network(world, 0);
  // Room for eight fragments of 16 + 8 each, and for a plan.
  const { plan } = await keep(home, creator(5), 5_000_000);
  const perPeerMax = 7 * plan.shardBytes + 2 * plan.bytes.length;
  await world.grow(1, ["store"], { store: { perPeerMax } });
  await assertRejectsCode(
    world.run(publishAt(home, plan)),
    "tooFew",
    /7 of 24 fragments found a holder among 1 peers, 16 are needed.*of this peer.*the node keeps trying/,
  );
  assertEquals(
    (await home.state.publication(plan.tesseraId, never))?.state,
    "publishing",
  );
  await world.grow(2, ["store"]);
  const report = await world.run(publishAt(home, plan));
  assertEquals([report.resumedCount, report.unplaced], [7, []]);
  // The newcomers took turns until they had as many as the first.
  assertEquals(loads(report.holders), [9, 8, 7]);
});

Deno.test("a publish that goes on keeps the subnet rule over both tries", async () => {
  const world = new World(6);
  await using _world = world;
  await world.grow(1, ["dht"]);
  let host = 0;
  const crowd = async (subnet: string, count: number) => {
    for (let i = 0; i < count; i++) {
      const address = { ip: `${subnet}.${++host}`, port: 4433 };
      await world.grow(1, ["store"], { address });
    }
  };
  await crowd("41.0.0", 2);
  const [home] = await world.grow(1, []);
  const { plan } = await keep(home!, creator(6), 5_000_000);
  const stop = new AbortController();
  const parts = { ...home!, subnetLimit: 2 };
  const begun = publish(parts, plan, ({ type }) => {
    if (type === "sent") stop.abort();
  }, stop.signal);
  await assertRejectsCode(world.run(begun), "cancelled");
  await crowd("41.0.0", 6);
  await crowd("42.0.0", 3);
  const report = await world.run(publishAt(home!, plan));
  assertTrue(report.resumedCount > 0);
  assertEquals([report.unplaced, report.peerCount, report.subnetCount], [
    [],
    4,
    2,
  ]);
});

Deno.test("two replicas of seven go to institutions, however many there are", async () => {
  const world = new World(7);
  await using _world = world;
  const { home } = await network(world, 5);
  const grand = await world.grow(6, ["store"], {
    change: (roles) =>
      roles.map((role) => ({
        ...role,
        capabilities: role.capabilities | CAPABILITIES.INSTITUTIONAL,
      })),
  });
  const { plan } = await keep(home, creator(7), 2_000);
  const report = await world.run(publishAt(home, plan));
  assertEquals([report.unplaced, report.peerCount], [[], 7]);
  const institutions = new Set(grand.map(({ node }) => keyOf(node.id)));
  const count = [...report.holders.values()]
    .filter(({ id }) => institutions.has(keyOf(id))).length;
  assertEquals(count, 2);
});

Deno.test("a publisher that stores for others gives itself nothing, and keeps the records that fall to it", async () => {
  const world = new World(8);
  await using _world = world;
  await world.grow(3, ["dht", "store"]);
  const [home] = await world.grow(1, ["dht", "store"]);
  const { id, plan } = await keep(home!, creator(8), 2_000);
  const report = await world.run(publishAt(home!, plan));
  const own = keyOf(home!.node.id);
  const holders = [...report.holders.values()].map((one) => keyOf(one.id));
  assertEquals([holders.length, holders.includes(own)], [3, false]);
  assertEquals(report.unplaced.length, 4);
  assertEquals(report.keeperCount, 4);
  assertEquals((await home!.state.pointers(id, never)).length, 3);
  assertEquals(await home!.state.storedBytes(undefined, never), 0);
});
