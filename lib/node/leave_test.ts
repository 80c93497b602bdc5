import { assertEquals, assertTrue } from "@tesseras/testing";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { find } from "./find.ts";
import { join } from "./join.ts";

/** Whether each of some still has one in its table. */
function knows(
  some: readonly Inhabitant[],
  { node: { id } }: Inhabitant,
): boolean[] {
  return some.map(({ node }) => node.table.get(id) !== undefined);
}

Deno.test("a node that stops is forgotten at once by those it is connected to, and nobody else is", async () => {
  const world = new World(1);
  await using _world = world;
  const all = await world.grow(6, ["dht"]);
  const [leaver, ...rest] = all.toReversed() as [Inhabitant, ...Inhabitant[]];
  assertEquals(knows(rest, leaver), Array(5).fill(true));
  const beganMs = world.clock.monotonicMs();
  await world.stop(leaver);
  await world.clock.advance(100);
  assertTrue(world.clock.monotonicMs() - beganMs < 1_000);
  assertEquals(knows(rest, leaver), Array(5).fill(false));
  for (const one of rest) {
    assertEquals(one.node.table.size, 4);
    assertEquals(one.runtime.counters.get("table.left"), 1);
    assertEquals(one.runtime.counters.get("table.removed"), 0);
  }
});

Deno.test("a node that dies without a word stays until it was asked in vain", async () => {
  const world = new World(2);
  await using _world = world;
  const all = await world.grow(4, ["dht"]);
  world.crash(all[3]!);
  await world.clock.advance(100);
  assertEquals(knows(all.slice(0, 3), all[3]!), Array(3).fill(true));
});

Deno.test("one that comes back after its goodbye is known again", async () => {
  const world = new World(3);
  await using _world = world;
  const all = await world.grow(4, ["dht"]);
  const [leaver, ...rest] = all.toReversed() as [Inhabitant, ...Inhabitant[]];
  await world.stop(leaver);
  const { address, state, blobs, node } = leaver;
  const { identity } = node;
  const kept = { address, state, blobs, identity };
  const back = await world.add(["dht"], kept);
  await world.run(join(back.node, [rest[2]!.address], never));
  assertEquals(knows(rest, back), Array(3).fill(true));
});

Deno.test("a peer whose place is free for a goodbye is given to who waits for it", async () => {
  const world = new World(4);
  await using _world = world;
  const one = await world.add(["dht"], { node: { bucketPeersMax: 1 } });
  // The work of an id zeroes its first byte, so the second decides the farthest bucket.
  const isFar = (id: Uint8Array) => ((id[1]! ^ one.node.id[1]!) & 0x80) !== 0;
  const far: Inhabitant[] = [];
  while (far.length < 2) {
    const identity = await world.identity();
    if (!isFar(identity.id)) continue;
    const peer = await world.add(["dht"], { identity });
    await world.run(join(peer.node, [one.address], never));
    far.push(peer);
  }
  assertEquals(knows([one], far[0]!), [true]);
  assertEquals(one.runtime.counters.get("table.bucket_full") > 0, true);
  await world.stop(far[0]!);
  await world.clock.advance(1_000);
  assertEquals(knows([one], far[1]!), [true]);
});

Deno.test("a lookup that ends after its node has stopped leaves no question behind", async () => {
  const world = new World(5);
  await using _world = world;
  await world.grow(3, ["dht"]);
  const asker = world.inhabitants[0]!;
  let openCount = 0;
  const looking = find(asker.node, asker.node.id, {}, async (_peer, signal) => {
    openCount++;
    try {
      await world.clock.sleep(1e9, signal);
      return [];
    } finally {
      openCount--;
    }
  }, never);
  await world.stop(asker);
  assertEquals(openCount, 2);
  const found = await world.run(looking);
  assertEquals([found.closest, openCount], [[], 0]);
});
