import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { MemoryBlobs } from "@tesseras/blobs";
import { keyOf } from "@tesseras/core";
import { bulkOf } from "@tesseras/net";
import { findProviders } from "@tesseras/node";
import { readProviderRecord } from "@tesseras/wire";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { copies, get, holder, put } from "./holder_for_tests.ts";

Deno.test("what a holder signs for is what it keeps, and it gives any range of it", async () => {
  const world = new World(1);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  await world.run(put(sender, store, { plan, content }));
  const word = await world.run(put(sender, store, { plan, index: 3, content }));
  const record = readProviderRecord(word, {
    nowMs: world.clock.nowMs(),
    powBits: store.node.powBits,
  });
  assertEquals(record.indices, [0, 3]);
  assertEquals(keyOf(record.planHash), keyOf(plan.hash));
  const whole = await world.run(get(sender, store, { plan, length: 1_000 }));
  assertEquals(whole, content);
  const tail = { plan, offset: 990, length: 500 };
  assertEquals((await world.run(get(sender, store, tail))).length, 10);
  const beyond = { plan, offset: 5_000, length: 5 };
  assertEquals((await world.run(get(sender, store, beyond))).length, 0);
});

Deno.test("bytes of another hash, a forged plan and a wrong length are refused, and nothing is kept", async () => {
  const world = new World(2);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  const other = content.map((byte) => byte ^ 1);
  await assertRejectsCode(
    world.run(put(sender, store, { plan, content: other })),
    "corrupt",
  );
  const bytes = plan.bytes.slice();
  bytes[bytes.length - 1]! ^= 1;
  await assertRejectsCode(
    world.run(put(sender, store, { plan: { ...plan, bytes }, content })),
    "forged",
  );
  await assertRejectsCode(
    world.run(put(sender, store, { plan, content: content.subarray(1) })),
    "malformed",
    /999 were announced/,
  );
  await assertRejectsCode(
    world.run(put(sender, store, { plan, index: 7, content })),
    "malformed",
    /the plan has 7/,
  );
  assertEquals(await store.state.storedBytes(undefined, never), 0);
  assertEquals(await Array.fromAsync(store.blobs.list(never)), []);
});

Deno.test("one fragment from two senders at once is kept once and signed for twice", async () => {
  const world = new World(3);
  await using _world = world;
  const { store, sender } = await holder(world, {
    store: { perPeerMax: 10_000 },
  });
  const { sender: other } = {
    sender: await world.rogue(() =>
      Promise.resolve({ response: { type: "nodes", records: [] } })
    ),
  };
  const { plan, content } = copies(1_000);
  const words = await world.run(Promise.all([
    put(sender, store, { plan, content }),
    put(other, store, { plan, content }),
  ]));
  assertEquals(words.length, 2);
  assertEquals(
    await store.state.storedBytes(undefined, never),
    1_000 + plan.bytes.length,
  );
  assertEquals(store.runtime.counters.get("fragment.stored"), 1);
  // What is known takes nothing of anybody's share, so it may come again.
  await world.run(put(sender, store, { plan, content }));
  // All promises were given back: exactly one of the two has its share used up.
  const second = copies(1_000, 2);
  const tries = await world.run(Promise.allSettled([
    put(sender, store, second),
    put(other, store, { ...second, index: 1 }),
  ]));
  assertEquals(tries.map(({ status }) => status).sort(), [
    "fulfilled",
    "rejected",
  ]);
  assertEquals(store.runtime.counters.get("fragment.refused_per_peer"), 1);
});

Deno.test("plans count towards the share of who brought them, each once", async () => {
  const world = new World(10);
  await using _world = world;
  const planBytes = copies(1).plan.bytes.length;
  const { store, sender } = await holder(world, {
    store: { perPeerMax: 3 * planBytes + 100 },
  });
  const tiny = [1, 2, 3].map((seed) => copies(1, seed));
  await world.run(put(sender, store, tiny[0]!));
  await world.run(put(sender, store, { ...tiny[0]!, index: 1 }));
  await world.run(put(sender, store, tiny[1]!));
  assertEquals(
    await store.state.storedBytes(undefined, never),
    2 * planBytes + 3,
  );
  await world.run(put(sender, store, tiny[2]!));
  const { counters } = store.runtime;
  await assertRejectsCode(
    world.run(put(sender, store, copies(1, 4))),
    "refused",
    /of this peer/,
  );
  assertEquals(counters.get("fragment.refused_per_peer"), 1);
  // What is lost takes its plan's place with it.
  store.blobs.rot(tiny[2]!.plan.fragments[0]!, 0);
  const lost = { plan: tiny[2]!.plan, length: 1 };
  await assertRejectsCode(world.run(get(sender, store, lost)), "corrupt");
  await world.run(put(sender, store, copies(1, 4)));
});

Deno.test("identities of one subnet share its limit over a restart, and nobody else notices", async () => {
  const world = new World(11);
  await using _world = world;
  const planBytes = copies(1).plan.bytes.length;
  const options = {
    node: { subnetPeersMax: { bucket: 2, table: 10 } },
    store: { perPeerMax: planBytes + 9 },
  };
  const { store, sender } = await holder(world, options);
  const crowd: Inhabitant[] = [];
  for (let host = 1; host <= 6; host++) {
    const address = { ip: `31.0.0.${host}`, port: 4433 };
    crowd.push(await world.add([], { address }));
  }
  const keep = ({ node }: Inhabitant, to: Inhabitant, seed: number) => {
    const { plan, content } = copies(1, seed);
    const type = "put_fragment";
    return world.run(node.ask(
      to.node.record(),
      { type, plan: plan.bytes, index: 0, bulk: content.length },
      { bulk: bulkOf(content) },
      never,
    ));
  };
  for (const [at, one] of crowd.slice(0, 4).entries()) {
    await keep(one, store, at);
  }
  const [fifth, sixth] = crowd.slice(4);
  const crowded = /all peers in 31\.0\.0\.0\/24/;
  await assertRejectsCode(keep(fifth!, store, 4), "refused", crowded);
  const { counters } = store.runtime;
  assertEquals(counters.get("fragment.refused_per_subnet"), 1);
  await world.run(put(sender, store, copies(1, 5)));
  const back = await world.restart(store, ["store"], options);
  await assertRejectsCode(keep(sixth!, back, 6), "refused", crowded);
});

Deno.test("what must stay free is refused, and a disk that fills up half way leaves nothing behind", async () => {
  const world = new World(4);
  await using _world = world;
  const blobs = new MemoryBlobs({ freeBytes: 300_000 });
  const { store, sender } = await holder(world, {
    blobs,
    store: { freeSpaceMin: 100_000 },
  });
  const big = copies(250_000);
  await assertRejectsCode(world.run(put(sender, store, big)), "diskFull");
  assertEquals(store.runtime.counters.get("fragment.refused_space"), 1);
  // Somebody else fills the disk while a fragment comes.
  const fits = copies(190_000, 2);
  const putting = sender.peers.ask(store.node.record(), {
    type: "put_fragment",
    plan: fits.plan.bytes,
    index: 0,
    bulk: fits.content.length,
  }, {
    bulk: {
      bytes: fits.content.length,
      async *chunks(signal) {
        yield fits.content.subarray(0, 90_000);
        await world.clock.sleep(1_000, signal);
        yield fits.content.subarray(90_000);
      },
    },
  }, never);
  await world.clock.advance(500);
  await using taken = await blobs.scratch(
    await blobs.freeBytes(never) - 10,
    never,
  );
  await assertRejectsCode(world.run(putting), "diskFull");
  await taken[Symbol.asyncDispose]();
  assertEquals(await blobs.freeBytes(never), 300_000);
  assertEquals(await store.state.storedBytes(undefined, never), 0);
  await world.run(put(sender, store, fits));
});

Deno.test("a rotten fragment is noticed when it is served, signed for no more, and taken anew", async () => {
  const world = new World(5);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  await world.run(put(sender, store, { plan, content }));
  store.blobs.rot(plan.fragments[0]!, 700);
  const wanted = { plan, length: 1_000 };
  await assertRejectsCode(world.run(get(sender, store, wanted)), "corrupt");
  assertEquals(store.runtime.counters.get("fragment.corrupt"), 1);
  await assertRejectsCode(world.run(get(sender, store, wanted)), "absent");
  assertEquals(store.runtime.counters.get("fragment.corrupt"), 1);
  await world.run(put(sender, store, { plan, content }));
  assertEquals(await world.run(get(sender, store, wanted)), content);
});

Deno.test("a fragment whose bytes are gone is taken anew instead of signed for", async () => {
  const world = new World(6);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  await world.run(put(sender, store, { plan, content }));
  await store.blobs.remove(plan.fragments[0]!, never);
  await world.run(put(sender, store, { plan, content }));
  assertEquals(store.runtime.counters.get("fragment.absent"), 1);
  const again = await world.run(get(sender, store, { plan, length: 1_000 }));
  assertEquals(again, content);
});

Deno.test("a sender that gives up half way leaves nothing, and its share is free again", async () => {
  const world = new World(7);
  await using _world = world;
  const { store, sender } = await holder(world, {
    store: { perPeerMax: 110_000 },
  });
  const { plan, content } = copies(100_000);
  const stop = new AbortController();
  const putting = sender.peers.ask(store.node.record(), {
    type: "put_fragment",
    plan: plan.bytes,
    index: 0,
    bulk: content.length,
  }, {
    bulk: {
      bytes: content.length,
      async *chunks(signal) {
        yield content.subarray(0, 50_000);
        await world.clock.sleep(1e9, signal);
      },
    },
  }, stop.signal);
  const rejected = assertRejectsCode(putting, "cancelled");
  await world.clock.advance(1_000);
  stop.abort();
  await world.run(rejected);
  await world.clock.advance(30_000);
  assertEquals(await Array.fromAsync(store.blobs.list(never)), []);
  await world.run(put(sender, store, { plan, content }));
});

Deno.test("a holder's sequence goes on after a restart with a clock that went back", async () => {
  const world = new World(8);
  await using _world = world;
  const { store, sender } = await holder(world);
  const { plan, content } = copies(1_000);
  const word = await world.run(put(sender, store, { plan, content }));
  const behind = {
    nowMs: () => world.clock.nowMs() - 5 * 60_000,
    monotonicMs: () => world.clock.monotonicMs(),
    sleep: (ms: number, signal: AbortSignal) => world.clock.sleep(ms, signal),
    deadline: (ms: number, signal: AbortSignal) =>
      world.clock.deadline(ms, signal),
  };
  const back = await world.restart(store, ["store"], { clock: behind });
  await world.clock.advance(60_000);
  const later = await world.run(put(sender, back, { plan, index: 1, content }));
  const rules = { nowMs: world.clock.nowMs(), powBits: back.node.powBits };
  const [first, second] = [word, later].map((bytes) =>
    readProviderRecord(bytes, rules)
  );
  assertTrue(second!.sequence > first!.sequence);
  assertEquals(second!.indices, [0, 1]);
});

Deno.test("holdings are announced soon after a burst, and unheard ones again when there is somebody to hear", async () => {
  const world = new World(9);
  await using _world = world;
  const { store, sender } = await holder(world, { store: { queueMax: 1 } });
  const [one, two] = [copies(1_000, 1), copies(1_000, 2)];
  await world.run(put(sender, store, one));
  await world.run(put(sender, store, two));
  const { counters } = store.runtime;
  assertEquals(counters.get("announce.queue_full"), 1);
  await world.clock.advance(30_000);
  assertEquals(counters.get("announce.unheard"), 1);
  assertEquals(counters.get("announce.done"), 0);
  const dht = await world.add(["dht"]);
  await world.run(dht.node.ping(store.node.record(), never));
  // The queued one after the pause; the one that found the queue full in the hourly round.
  await world.clock.advance(6 * 60_000);
  assertEquals(counters.get("announce.done"), 1);
  await world.clock.advance(75 * 60_000);
  for (const { plan } of [one, two]) {
    const found = await world.run(
      findProviders(dht.node, plan.tesseraId, never),
    );
    assertEquals(found.map(({ holder }) => keyOf(holder.id)), [
      keyOf(store.node.id),
    ]);
  }
});
