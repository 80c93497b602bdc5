import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  compare,
  keyOf,
  keyOfTessera,
  type TesseraId,
  tesseraId,
} from "@tesseras/core";
import { CLOCK_SKEW_MS, PROVIDERS_PER_KEY_MAX } from "@tesseras/core/limits";
import { distance } from "@tesseras/kad";
import { findProviders } from "@tesseras/node";
import { never, World } from "@tesseras/testing/sim";
import { openLibsqlState } from "@tesseras/state/libsql";
import { bring, entry, keeper, newId } from "./keeper_for_tests.ts";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const HOUR_MS = 3_600_000;

Deno.test("records of others' holders, bent, expired or from the future are refused and counted", async () => {
  const world = new World(1);
  await using _world = world;
  const at = await keeper(world);
  const [one, two] = [await world.identity(), await world.identity()];
  const id = newId(world);
  const nowMs = world.clock.nowMs();
  const good = entry(world, one, { id });
  const bent = good.record.slice();
  bent[40]! ^= 1;
  const counted = await bring(world, at, [
    { record: good.record, holder: entry(world, two, { id }).holder },
    { record: bent, holder: good.holder },
    { record: good.holder, holder: good.holder },
    entry(world, one, {
      id,
      sequence: nowMs - 2 * HOUR_MS,
      expiresAtMs: nowMs - HOUR_MS,
    }),
    entry(world, one, { id, sequence: nowMs + CLOCK_SKEW_MS + 60_000 }),
  ]);
  assertEquals(counted, [0, 5]);
  const { counters } = at.dht.runtime;
  assertEquals(counters.get("pointer.misfit"), 1);
  assertEquals(counters.get("pointer.refused"), 4);
  assertEquals(await at.dht.state.pointerCount(never), 0);
  assertEquals(await bring(world, at, [good]), [1, 0]);
});

Deno.test("an older word does not replace a newer one, and the same word twice is no offence", async () => {
  const world = new World(2);
  await using _world = world;
  const at = await keeper(world);
  const holder = await world.identity();
  const id = newId(world);
  const nowMs = world.clock.nowMs();
  const newer = entry(world, holder, { id, sequence: nowMs });
  assertEquals(await bring(world, at, [newer]), [1, 0]);
  assertEquals(await bring(world, at, [newer]), [1, 0]);
  const older = entry(world, holder, { id, sequence: nowMs - 1 });
  assertEquals(await bring(world, at, [older]), [0, 1]);
  assertEquals(at.dht.runtime.counters.get("pointer.stale"), 1);
  const [row] = await at.dht.state.pointers(id, never);
  assertEquals(row?.sequence, nowMs);
});

Deno.test("one key, one holder and one holder's plans of a key each have their bound, also for two who bring at once", async () => {
  const world = new World(3);
  await using _world = world;
  const at = await keeper(world, { dht: { bounds: { perHolderMax: 6 } } });
  const { counters } = at.dht.runtime;
  const id = newId(world);
  const crowd = [];
  for (let i = 0; i < PROVIDERS_PER_KEY_MAX + 8; i++) {
    crowd.push(entry(world, await world.identity(), { id }));
  }
  const [half, rest] = [crowd.slice(0, 20), crowd.slice(20, 40)];
  await Promise.all([bring(world, at, half), bring(world, at, rest)]);
  await bring(world, at, crowd.slice(40));
  assertEquals(await at.dht.state.pointerCount(never), PROVIDERS_PER_KEY_MAX);
  assertEquals(counters.get("pointer.over_bound"), 8);

  const greedy = await world.identity();
  const plans = [1, 2, 3, 4, 5].map((plan) =>
    entry(world, greedy, { id: tesseraId(new Uint8Array(32)), plan })
  );
  assertEquals(await bring(world, at, plans), [4, 1]);
  const more = Array.from(
    { length: 4 },
    () => entry(world, greedy, { id: newId(world) }),
  );
  assertEquals(await bring(world, at, more), [2, 2]);
});

Deno.test("a holder's share is free again when its records have run out, and replacing one takes none", async () => {
  const world = new World(4);
  await using _world = world;
  const at = await keeper(world, { dht: { bounds: { perHolderMax: 2 } } });
  const holder = await world.identity();
  const [a, b, c] = [newId(world), newId(world), newId(world)];
  const soon = world.clock.nowMs() + HOUR_MS;
  await bring(world, at, [
    entry(world, holder, { id: a, expiresAtMs: soon }),
    entry(world, holder, { id: b }),
  ]);
  for (let i = 1; i < 4; i++) {
    const again = entry(world, holder, {
      id: b,
      sequence: world.clock.nowMs() + i,
    });
    assertEquals(await bring(world, at, [again]), [1, 0]);
  }
  assertEquals(await bring(world, at, [entry(world, holder, { id: c })]), [
    0,
    1,
  ]);
  await world.clock.advance(HOUR_MS + 10 * 60_000);
  assertEquals(await bring(world, at, [entry(world, holder, { id: c })]), [
    1,
    0,
  ]);
  assertEquals(at.dht.runtime.counters.get("pointer.expired"), 1);
});

Deno.test("the bounds hold over a restart, because what is there is counted first", async () => {
  const world = new World(5);
  await using _world = world;
  const options = { dht: { bounds: { perHolderMax: 1 } } };
  const at = await keeper(world, options);
  const holder = await world.identity();
  await bring(world, at, [entry(world, holder, { id: newId(world) })]);
  const dht = await world.restart(at.dht, ["dht"], options);
  await world.clock.advance(60_000);
  const more = [entry(world, holder, { id: newId(world) })];
  assertEquals(await bring(world, { dht, rogue: at.rogue }, more), [0, 1]);
});

Deno.test("over its bound a keeper lets go of the farthest keys", async () => {
  const world = new World(6);
  await using _world = world;
  const at = await keeper(world, { dht: { pointersMax: 20 } });
  const ids = Array.from({ length: 21 }, () => newId(world));
  for (const id of ids) {
    await bring(world, at, [entry(world, await world.identity(), { id })]);
  }
  const away = (id: TesseraId) => distance(at.dht.node.id, keyOfTessera(id));
  const near = ids.toSorted((a, b) => compare(away(a), away(b))).slice(0, 18);
  const kept = await at.dht.state.allPointers(undefined, 100, never);
  assertEquals(
    kept.map((row) => keyOf(row.tesseraId)).sort(),
    near.map(keyOf).sort(),
  );
  assertEquals(at.dht.runtime.counters.get("pointer.evicted"), 3);
});

Deno.test("a key with more providers than a message holds is read page by page", async () => {
  const world = new World(7);
  await using _world = world;
  await world.grow(1, ["bootstrap"]);
  const [dht, asker] = await world.grow(2, ["dht"]);
  const at = { dht: dht!, rogue: (await keeper(world)).rogue };
  const id = newId(world);
  const crowd = [];
  for (let i = 0; i < 55; i++) {
    crowd.push(entry(world, await world.identity(), { id }));
  }
  await bring(world, at, crowd);
  const found = await world.run(findProviders(asker!.node, id, never));
  assertEquals(found.length, 55);
  assertEquals(at.dht.runtime.counters.get("request.find_value"), 3);
});

Deno.test("records that ran out are not handed out before they are swept", async () => {
  const world = new World(8);
  await using _world = world;
  const at = await keeper(world);
  const id = newId(world);
  const soon = world.clock.nowMs() + 60_000;
  await bring(world, at, [
    entry(world, await world.identity(), { id, expiresAtMs: soon }),
  ]);
  await world.clock.advance(61_000);
  const { response } = await world.run(
    at.rogue.peers.ask(
      at.dht.node.record(),
      {
        type: "find_value",
        tessera: id,
        skip: 0,
      },
      {},
      never,
    ),
  );
  assertEquals([response.providers.length, response.more], [0, 0]);
  assertTrue(await at.dht.state.pointerCount(never) === 1);
});

Deno.test("what a database keeps is handed out after a restart, and an older word is still older", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_dht_" });
  const url = pathToFileURL(join(folder, "tesseras.db")).href;
  const open = () => openLibsqlState({ url, worker: false }, never);
  const world = new World(10);
  await using _world = world;
  const holder = await world.identity();
  const id = newId(world);
  const sequence = world.clock.nowMs();
  const word = entry(world, holder, { id, sequence });
  const older = entry(world, holder, { id, sequence: sequence - 1 });
  const question = { type: "find_value", tessera: id, skip: 0 } as const;
  const identity = await world.identity();
  try {
    for (const entries of [[word], [older]]) {
      // The database takes real time, which a virtual clock does not wait for; a node that is asked by itself does.
      await using state = await open();
      const { node } = await world.add(["dht"], { state, identity });
      await using _node = node;
      const { response } = await node.askSelf(
        { type: "store", entries },
        never,
      );
      const accepted = entries[0] === word ? 1 : 0;
      assertEquals(response, {
        type: "stored",
        accepted,
        refused: 1 - accepted,
      });
      const { response: kept } = await node.askSelf(question, never);
      assertTrue(kept.type === "providers");
      assertEquals(kept.providers, [word]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
