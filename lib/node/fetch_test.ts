import { keyOf } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { MemoryBlobs } from "@tesseras/blobs";
import { blake3, nobleMlDsa } from "@tesseras/crypto";
import { type Hash, type TesseraId } from "@tesseras/core";
import { bulkOf, type BulkSource } from "@tesseras/net";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import { signProviderRecord } from "@tesseras/wire";
import {
  type AddOptions,
  creator,
  type Inhabitant,
  keep,
  never,
  World,
} from "@tesseras/testing/sim";
import { fetch } from "./fetch.ts";
import type { FetchEvent } from "./gather.ts";
import { join } from "./join.ts";
import { storeProviders } from "./pointers.ts";
import { publish } from "./publish.ts";
import type { Role } from "./role.ts";

async function network(
  world: World,
  holderCount: number,
): Promise<Inhabitant> {
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  return home!;
}

function publishAt({ node, archive, state }: Inhabitant, plan: Plan) {
  const parts = { node, archive, state, subnetLimit: 2 };
  return publish(parts, plan, () => {}, never);
}

function fetchAt(
  { node, archive, blobs }: Inhabitant,
  id: TesseraId,
  signal: AbortSignal = never,
  onEvent: (event: FetchEvent) => void = () => {},
) {
  return fetch(
    { node, archive, blobs, suite: nobleMlDsa },
    id,
    onEvent,
    signal,
  );
}

/** A holder that signs for fragments it never took, and gives what it is told to. */
async function liar(
  world: World,
  plan: {
    readonly hash: Hash;
    readonly tesseraId: TesseraId;
    bytes: Uint8Array;
  },
  give: (index: number, length: number) => BulkSource,
  options: { readonly indices?: readonly number[] } = {},
): Promise<Inhabitant> {
  const change = (roles: readonly Role[]) => [
    ...roles,
    {
      name: "liar",
      capabilities: 0,
      handlers: {
        get_plan: () =>
          Promise.resolve({ response: { type: "plan", plan: plan.bytes } }),
        get_fragment: (_from, request) =>
          Promise.resolve({
            response: { type: "fragment", bulk: request.length },
            bulk: give(request.index, request.length),
          }),
      },
    } satisfies Role,
  ];
  const one = await world.add([], { change } satisfies AddOptions);
  await world.run(join(one.node, [world.inhabitants[0]!.address], never));
  const nowMs = world.clock.nowMs();
  const record = signProviderRecord({
    tesseraId: plan.tesseraId,
    planHash: plan.hash,
    indices: options.indices ?? [0],
    sequence: nowMs,
    expiresAtMs: nowMs + 3_600_000,
  }, one.node.identity);
  const provider = { record, holder: one.node.record() };
  await world.run(
    storeProviders(one.node, plan.tesseraId, [provider], never),
  );
  return one;
}

const nothing = (bytes: number): BulkSource => bulkOf(new Uint8Array(bytes));

Deno.test("what is on this disk is said so before anybody is asked", async () => {
  const world = new World(1);
  await using _world = world;
  const [one] = await world.grow(1, []);
  const { id } = await keep(one!, creator(1), 2_000);
  const beganMs = world.clock.monotonicMs();
  await assertRejectsCode(fetchAt(one!, id), "inUse", /on this disk already/);
  assertEquals(world.clock.monotonicMs(), beganMs);
  assertEquals(one!.runtime.counters.get("lookup.done"), 0);
});

Deno.test("a liar that claims every fragment is asked once, not for each", async () => {
  const world = new World(2);
  await using _world = world;
  const home = await network(world, 16);
  const { id, plan } = await keep(home, creator(2), 5_000_000);
  await world.run(publishAt(home, plan));
  const all = plan.fragments.map((_, index) => index);
  await liar(world, plan, (_i, bytes) => nothing(bytes), { indices: all });
  const [newcomer] = await world.grow(1, []);
  const report = await world.run(fetchAt(newcomer!, id));
  assertEquals(report.used.size, 16);
  const { counters } = newcomer!.runtime;
  assertTrue(counters.get("fetch.fragment_failed") <= 3);
  assertEquals(
    counters.get("fetch.holder_dropped") > 0,
    counters.get("fetch.fragment_failed") > 0,
  );
});

Deno.test("a holder with one rotten fragment is still asked for its whole ones when nobody else is left", async () => {
  const world = new World(20);
  await using _world = world;
  const home = await network(world, 4);
  const { id, plan } = await keep(home, creator(20), 5_000_000);
  const { holders } = await world.run(publishAt(home, plan));
  const at = (index: number): Inhabitant =>
    world.inhabitants.find(({ node }) =>
      keyOf(node.id) === keyOf(holders.get(index)!.id)
    )!;
  // Six fragments each: one holder dies and another's disk rots, so 17 are good and 12 of them with the unblemished.
  const rotten = at(0);
  rotten.blobs.rot(plan.fragments[0]!, 700);
  const other = [1, 2, 3].map(at).find((one) => one !== rotten)!;
  world.crash(other);
  const [newcomer] = await world.grow(1, []);
  const report = await world.run(fetchAt(newcomer!, id));
  assertEquals([report.used.size, report.used.has(0)], [16, false]);
  assertTrue((await newcomer!.archive.verify(id, () => {}, never)).passed);
});

Deno.test("holders that trickle do not hold up a fetch", async () => {
  const world = new World(3);
  await using _world = world;
  const home = await network(world, 16);
  const { id, plan } = await keep(home, creator(3), 5_000_000);
  await world.run(publishAt(home, plan));
  const all = plan.fragments.map((_, index) => index);
  // Fast enough for every time limit, slow enough to take half a minute for a fragment.
  const trickle = (_index: number, length: number): BulkSource => ({
    bytes: length,
    async *chunks(signal) {
      for (let at = 0; at < length; at += 10_000) {
        await world.clock.sleep(1_000, signal);
        yield new Uint8Array(Math.min(10_000, length - at));
      }
    },
  });
  for (let i = 0; i < 6; i++) {
    await liar(world, plan, trickle, { indices: all });
  }
  const [newcomer] = await world.grow(1, []);
  const beganMs = world.clock.monotonicMs();
  const report = await world.run(fetchAt(newcomer!, id));
  assertEquals(report.used.size, 16);
  const tookMs = world.clock.monotonicMs() - beganMs;
  assertTrue(tookMs < 30_000, `${tookMs} ms`);
});

Deno.test("plans that strangers made up are tried after the true one, and only so many of them", async () => {
  const world = new World(4);
  await using _world = world;
  const home = await network(world, 9);
  const { id, plan } = await keep(home, creator(4), 2_000);
  const content = new Uint8Array(100);
  const forge = (seed: number) =>
    signPlan(
      draftPlan({
        tesseraId: id,
        packBytes: 100,
        fragments: Array<Hash>(7).fill(blake3(content)),
      }),
      creator(seed),
    );
  for (let seed = 100; seed < 118; seed++) {
    await liar(world, forge(seed), (_i, bytes) => nothing(bytes));
  }
  const [early] = await world.grow(1, []);
  await assertRejectsCode(world.run(fetchAt(early!, id)), "malformed");
  const { counters } = early!.runtime;
  assertEquals(counters.get("fetch.plan_failed"), 16);
  assertEquals(counters.get("fetch.plans_left"), 2);
  assertEquals(await early!.archive.list(never), []);
  await world.run(publishAt(home, plan));
  const [newcomer] = await world.grow(1, []);
  const report = await world.run(fetchAt(newcomer!, id));
  assertEquals(report.planHash, plan.hash);
  assertEquals(newcomer!.runtime.counters.get("fetch.plan_failed"), 0);
});

Deno.test("a plan whose bytes were swapped is refused, and so is one whose signature does not fit", async () => {
  const world = new World(5);
  await using _world = world;
  const home = await network(world, 1);
  const { id, plan } = await keep(home, creator(5), 2_000);
  const other = await keep(home, creator(6), 3_000);
  const swapped = { ...plan, bytes: other.plan.bytes };
  await liar(world, swapped, (_i, bytes) => nothing(bytes));
  const bytes = plan.bytes.slice();
  bytes[bytes.length - 1]! ^= 1;
  const unsigned = { ...plan, bytes, hash: blake3(bytes) };
  await liar(world, unsigned, (_i, bytes) => nothing(bytes));
  const [newcomer] = await world.grow(1, []);
  await assertRejectsCode(
    world.run(fetchAt(newcomer!, id)),
    "tooFew",
    /none of 1 holders gave the plan/,
  );
  assertEquals(newcomer!.runtime.counters.get("fetch.plan_refused"), 2);
});

Deno.test("a disk with too little room says so before a fragment is asked for", async () => {
  const world = new World(6);
  await using _world = world;
  const home = await network(world, 9);
  const { id, plan } = await keep(home, creator(7), 20_000);
  await world.run(publishAt(home, plan));
  const blobs = new MemoryBlobs({ freeBytes: plan.packBytes });
  const [small] = await world.grow(1, [], { blobs });
  await assertRejectsCode(
    world.run(fetchAt(small!, id)),
    "diskFull",
    /putting a pack/,
  );
  assertEquals(small!.runtime.counters.get("fetch.fragment_failed"), 0);
});

Deno.test("two fetches of one tessera at once both succeed and list it once", async () => {
  const world = new World(7);
  await using _world = world;
  const home = await network(world, 9);
  const { id, plan } = await keep(home, creator(8), 20_000);
  await world.run(publishAt(home, plan));
  const [newcomer] = await world.grow(1, []);
  await world.run(
    Promise.all([fetchAt(newcomer!, id), fetchAt(newcomer!, id)]),
  );
  assertEquals((await newcomer!.archive.list(never)).length, 1);
  const verified = await newcomer!.archive.verify(id, () => {}, never);
  assertTrue(verified.passed);
});

Deno.test("a fetch stopped at any moment lists nothing or all of it, and keeps no room", async () => {
  const world = new World(8);
  await using _world = world;
  const home = await network(world, 9);
  const { id, plan } = await keep(home, creator(9), 200_000);
  await world.run(publishAt(home, plan));
  for (let stopAt = 1;; stopAt++) {
    const [newcomer] = await world.grow(1, []);
    const freeBytes = await newcomer!.blobs.freeBytes(never);
    const stop = new AbortController();
    let eventCount = 0;
    const fetching = fetchAt(newcomer!, id, stop.signal, () => {
      if (++eventCount === stopAt) stop.abort();
    });
    const [ended] = await world.run(Promise.allSettled([fetching]));
    const listed = await newcomer!.archive.list(never);
    if (ended!.status === "fulfilled") {
      assertEquals(listed.length, 1);
      assertTrue(stopAt > 5, `${stopAt} moments tried`);
      break;
    }
    await assertRejectsCode(fetching, "cancelled");
    assertEquals(listed, []);
    assertEquals(await newcomer!.blobs.freeBytes(never), freeBytes);
  }
});
