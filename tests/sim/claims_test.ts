/** Names that say they keep something and never show it, in a simulated network under a virtual clock. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { equal, TesserasError } from "@tesseras/core";
import type { Reply } from "@tesseras/net";
import type { Plan } from "@tesseras/tessera";
import { CAPABILITIES, type Request, signProviderRecord } from "@tesseras/wire";
import {
  aliveCount,
  care,
  copyCount,
  counted,
  DAY_MS,
  keptBy,
  publishAt,
} from "./caring.ts";
import { creator, keep, never, type Rogue, World } from "./world.ts";

/** Lets a new name say that it keeps every fragment of a plan; asked for a proof it is always too busy. */
async function claim(world: World, plan: Plan): Promise<Rogue> {
  const self: { rogue?: Rogue } = {};
  const word = (): Uint8Array => {
    const nowMs = world.clock.nowMs();
    return signProviderRecord({
      tesseraId: plan.tesseraId,
      planHash: plan.hash,
      indices: plan.fragments.map((_, index) => index),
      sequence: nowMs,
      expiresAtMs: nowMs + 86_400_000,
    }, self.rogue!.identity).bytes;
  };
  const answer = (request: Request): Reply => {
    switch (request.type) {
      case "attest":
        return { response: { type: "kept", provider: word() } };
      case "find_node":
        return { response: { type: "nodes", records: [] } };
      default:
        throw new TesserasError("overloaded", "Cannot do it now: busy");
    }
  };
  self.rogue = await world.rogue(
    (_from, request) => Promise.try(() => answer(request)),
    CAPABILITIES.STORAGE,
  );
  const { peers, record } = self.rogue;
  const entries = [{ record: word(), holder: record.bytes }];
  for (const { node } of world.living) {
    if ((node.record().capabilities & CAPABILITIES.DHT) === 0) continue;
    await world.run(
      peers.ask(node.record(), { type: "store", entries }, {}, never),
    );
  }
  return self.rogue;
}

/** A network of which one holder has died, and in which somebody makes up names from before that. */
async function besieged(
  seed: number,
  { bytes, holderCount, days, lostCount }: {
    readonly bytes: number;
    readonly holderCount: number;
    readonly days: number;
    readonly lostCount: number;
  },
): Promise<{ readonly world: World; readonly plan: Plan }> {
  const world = new World(seed);
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(holderCount, ["store"]);
  const [home] = await world.grow(1, []);
  stores.forEach((one) => care(one));
  const { plan } = await keep(home!, creator(seed), bytes);
  await world.run(publishAt(home!, plan));
  await world.clock.advance(2 * DAY_MS);
  world.crash(home!);
  for (const one of (await keptBy(world, plan)).keys()) {
    const gone = plan.fragments.length - await aliveCount(world, plan);
    if (gone >= lostCount) break;
    world.crash(one);
  }
  for (let day = 0; day < days; day++) {
    await claim(world, plan);
    await world.clock.advance(DAY_MS);
  }
  return { world, plan };
}

Deno.test("new names every day that only claim cannot hide that a copy is lost", async () => {
  const { world, plan } = await besieged(1, {
    bytes: 2_000,
    holderCount: 9,
    days: 6,
    lostCount: 1,
  });
  await using _world = world;
  assertEquals(await aliveCount(world, plan), 7);
  assertTrue(counted(world, "audit.unanswered") > 0, "they were asked");
});

Deno.test("nor that fragments are, and nobody makes one for every name", async () => {
  const { world, plan } = await besieged(2, {
    bytes: 4_300_000,
    holderCount: 16,
    days: 6,
    lostCount: 4,
  });
  await using _world = world;
  assertTrue(await aliveCount(world, plan) >= 22, "made anew");
  assertTrue(await copyCount(world, plan) <= 24 + 4, "and not for ever");
});

Deno.test("who only claims to keep what we published is owed nothing", async () => {
  const world = new World(4);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  await world.grow(7, ["store"]);
  const [home] = await world.grow(1, []);
  const { plan } = await keep(home!, creator(4), 2_000);
  await world.run(publishAt(home!, plan));
  care(home!);
  const { record } = await claim(world, plan);
  await world.clock.advance(2 * DAY_MS);
  const { care: book } = home!.state;
  const rows = await book.placements(plan.hash, never);
  assertTrue(rows.some(({ holder }) => equal(holder, record.id)), "was seen");
  assertEquals(await book.ledger(record.id, never), undefined);
  assertEquals((await book.ledgers(99, never)).length, 7);
});

Deno.test("what was proved and since when it is watched outlasts a restart", async () => {
  const world = new World(3);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  await world.grow(2, ["dht"]);
  const stores = await world.grow(8, ["store"]);
  const [home] = await world.grow(1, []);
  stores.forEach((one) => care(one));
  const { plan } = await keep(home!, creator(3), 2_000);
  await world.run(publishAt(home!, plan));
  await world.clock.advance(3 * DAY_MS);
  const [one] = (await keptBy(world, plan)).keys();
  const rows = await one!.state.care.placements(plan.hash, never);
  assertEquals(rows.length, 6);
  assertTrue(rows.every(({ provedSinceMs }) => provedSinceMs !== undefined));
  const watch = await one!.state.care.watch(plan.hash, never);
  const sinceMs = watch!.watchedSinceMs!;
  assertTrue(world.clock.nowMs() - sinceMs > 2.9 * DAY_MS);
  care(await world.restart(one!, ["store"]));
  await world.clock.advance(2 * DAY_MS);
  const after = await one!.state.care.watch(plan.hash, never);
  assertEquals(after!.watchedSinceMs, sinceMs);
  assertTrue(after!.dueAtMs > world.clock.nowMs());
});
