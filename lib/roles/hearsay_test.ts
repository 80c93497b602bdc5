import { assertEquals, assertTrue } from "@tesseras/testing";
import { equal, subnetOf } from "@tesseras/core";
import { PROVIDERS_PER_KEY_MAX } from "@tesseras/core/limits";
import { type AddOptions, never, World } from "@tesseras/testing/sim";
import type { BoundLimits } from "./bounds.ts";
import { bring, entry, keeper, newId } from "./keeper_for_tests.ts";

/** Where subnets count. */
function subnetsCount(bounds: Partial<BoundLimits>): AddOptions {
  return {
    node: { subnetPeersMax: { bucket: 20, table: 20 } },
    dht: { bounds },
  };
}

Deno.test("holders of one subnet share a bound in all and for each key, over a restart, too", async () => {
  const world = new World(9);
  await using _world = world;
  const options = subnetsCount({ perSubnetMax: 5, perKeyAndSubnetMax: 2 });
  const at = await keeper(world, options);
  const { identity } = at.rogue;
  const { counters } = at.dht.runtime;
  const id = newId(world);
  const plans = [1, 2, 3].map((plan) => entry(world, identity, { id, plan }));
  assertEquals(await bring(world, at, plans), [2, 1]);
  const more = [1, 2, 3, 4].map(() =>
    entry(world, identity, { id: newId(world) })
  );
  assertEquals(await bring(world, at, more), [3, 1]);
  assertEquals(counters.get("pointer.over_subnet"), 2);
  assertEquals(counters.get("pointer.over_bound"), 0);
  const sequence = world.clock.nowMs() + 1;
  const again = entry(world, identity, { id, sequence });
  assertEquals(await bring(world, at, [again]), [1, 0]);
  const dht = await world.restart(at.dht, ["dht"], options);
  await world.clock.advance(60_000);
  const late = entry(world, identity, { id: newId(world) });
  assertEquals(await bring(world, { dht, rogue: at.rogue }, [late]), [0, 1]);
});

Deno.test("nobody uses up another's subnet by naming it, and who brings others' records has a bound of its own", async () => {
  const world = new World(11);
  await using _world = world;
  const options = subnetsCount({
    perSubnetMax: 5,
    perKeyAndSubnetMax: 2,
    perKeyAndBearerMax: 3,
  });
  const at = await keeper(world, options);
  const honest = await keeper(world);
  const { ip } = honest.rogue.record.addresses[0]!;
  const id = newId(world);
  const lies = [];
  for (let i = 0; i < 4; i++) {
    lies.push(entry(world, await world.identity(), { id, ip }));
  }
  assertEquals(await bring(world, at, lies), [3, 1]);
  const elsewhere = [];
  for (let i = 0; i < 3; i++) {
    const holder = await world.identity();
    elsewhere.push(entry(world, holder, { id: newId(world), ip }));
  }
  assertEquals(await bring(world, at, elsewhere), [2, 1]);
  const own = [1, 2].map((plan) =>
    entry(world, honest.rogue.identity, { id, ip, plan })
  );
  const there = { dht: at.dht, rogue: honest.rogue };
  assertEquals(await bring(world, there, own), [2, 0]);
});

Deno.test("who brought hearsay first does not keep it from counting for its holder, nor the other way round", async () => {
  const world = new World(12);
  await using _world = world;
  const at = await keeper(world, subnetsCount({ perSubnetMax: 2 }));
  const holder = await keeper(world);
  const itself = { dht: at.dht, rogue: holder.rogue };
  const ids = [newId(world), newId(world), newId(world)] as const;
  const words = ids.map((id) => entry(world, holder.rogue.identity, { id }));
  assertEquals(await bring(world, at, words), [2, 1]);
  assertEquals(await bring(world, itself, words.slice(0, 1)), [1, 0]);
  assertEquals(await bring(world, at, words.slice(2)), [1, 0]);
  const sequence = world.clock.nowMs() + 1;
  const renewed = entry(world, holder.rogue.identity, { id: ids[0], sequence });
  assertEquals(await bring(world, at, [renewed]), [1, 0]);
  const [row] = await at.dht.state.pointers(ids[0], never);
  assertEquals(row?.subnet, subnetOf(holder.rogue.record.addresses[0]!.ip));
});

Deno.test("at a full key a holder that speaks for itself takes the place of hearsay", async () => {
  const world = new World(13);
  await using _world = world;
  const at = await keeper(world, subnetsCount({ perKeyAndBearerMax: 1_000 }));
  const holder = await keeper(world);
  const id = newId(world);
  const crowd = [];
  for (let i = 0; i <= PROVIDERS_PER_KEY_MAX; i++) {
    crowd.push(entry(world, await world.identity(), { id }));
  }
  assertEquals(await bring(world, at, crowd), [PROVIDERS_PER_KEY_MAX, 1]);
  const own = entry(world, holder.rogue.identity, { id });
  const itself = { dht: at.dht, rogue: holder.rogue };
  assertEquals(await bring(world, itself, [own]), [1, 0]);
  assertEquals(at.dht.runtime.counters.get("pointer.displaced"), 1);
  const rows = await at.dht.state.pointers(id, never);
  assertEquals(rows.length, PROVIDERS_PER_KEY_MAX);
  assertTrue(rows.some((row) => equal(row.record, own.record)));
});

Deno.test("over its bound a keeper lets go of hearsay before what holders said themselves, however far", async () => {
  const world = new World(14);
  await using _world = world;
  const options = subnetsCount({});
  const at = await keeper(world, {
    ...options,
    dht: { ...options.dht, pointersMax: 10 },
  });
  const own = Array.from(
    { length: 5 },
    () => entry(world, at.rogue.identity, { id: newId(world) }),
  );
  await bring(world, at, own);
  for (let i = 0; i < 6; i++) {
    const stranger = await world.identity();
    await bring(world, at, [entry(world, stranger, { id: newId(world) })]);
  }
  const kept = await at.dht.state.allPointers(undefined, 100, never);
  assertEquals(kept.length, 9);
  assertEquals(
    kept.filter((row) => equal(row.holder, at.rogue.identity.id)).length,
    5,
  );
});

Deno.test("the newer address of a holder stays beside its word, whichever comes first and whoever brings it", async () => {
  const world = new World(15);
  await using _world = world;
  const at = await keeper(world);
  const holder = await world.identity();
  const id = newId(world);
  const before = entry(world, holder, { id, ip: "12.0.0.1" });
  await world.clock.advance(60_000);
  const now = entry(world, holder, { id, ip: "12.0.9.9" });
  const kept = async () => (await at.dht.state.pointers(id, never))[0];
  const old = { record: now.record, holder: before.holder };
  assertEquals(await bring(world, at, [old]), [1, 0]);
  assertEquals(await bring(world, at, [now]), [1, 0]);
  assertEquals((await kept())?.holderRecord, now.holder);
  const sequence = world.clock.nowMs() + 1;
  const next = entry(world, holder, { id, sequence });
  const mixed = { record: next.record, holder: before.holder };
  assertEquals(await bring(world, at, [mixed, old]), [1, 1]);
  const row = await kept();
  assertEquals(row?.sequence, sequence);
  assertEquals(row?.holderRecord, now.holder);
});
