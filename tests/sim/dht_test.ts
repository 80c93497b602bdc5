/** The overlay at the size of a village: a hundred nodes find each other, keep pointers, and get over churn, a split and a restart. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  compare,
  keyOf,
  keyOfTessera,
  nodeId,
  tesseraId,
} from "@tesseras/core";
import { distance } from "@tesseras/kad";
import {
  findNodes,
  findProviders,
  join,
  type Provider,
  refreshForever,
  savedPeers,
  savePeers,
  storeProviders,
} from "@tesseras/node";
import { signProviderRecord } from "@tesseras/wire";
import { type Inhabitant, never, World } from "./world.ts";

const HOUR_MS = 3_600_000;

/** Ids of the `count` nodes nearest to a target, by looking at all of them. */
function nearest(
  nodes: readonly Inhabitant[],
  target: Uint8Array,
  count: number,
): string[] {
  const point = nodeId(target.slice(0, 20));
  return nodes.map(({ node }) => node.id)
    .sort((a, b) => compare(distance(point, a), distance(point, b)))
    .slice(0, count).map(keyOf);
}

/** A signed word of a node that it keeps the first fragment of a tessera. */
function providerOf(
  world: World,
  holder: Inhabitant,
  id: Uint8Array,
): Provider {
  const nowMs = world.clock.nowMs();
  const record = signProviderRecord({
    tesseraId: tesseraId(id),
    planHash: tesseraId(id),
    indices: [0],
    sequence: nowMs,
    expiresAtMs: nowMs + 24 * HOUR_MS,
  }, holder.node.identity);
  return { record, holder: holder.node.record() };
}

async function village(world: World, count: number): Promise<void> {
  await world.grow(count, ["dht"]);
}

/** Every node looks round in all its buckets once. */
function refresh(world: World): void {
  for (const { node } of world.living) {
    node.spawn((signal) => refreshForever(node, HOUR_MS, signal));
  }
}

// Signatures of some 2,000 handshakes: longer than three seconds.
Deno.test("a hundred nodes: lookups find the true nearest, records are found by everybody, a third may die", async () => {
  const world = new World(1, { latencyMs: [5, 80], lossRate: 0.01 });
  await using _world = world;
  await village(world, 100);
  const [asker, publisher, other] = world.living.slice(40, 43);

  const target = nodeId(world.random.bytes(20));
  for (const { node } of [asker!, publisher!, other!]) {
    const found = await world.run(
      findNodes(node, target, { isThorough: true }, never),
    );
    const true20 = nearest(
      world.living.filter((one) => one.node !== node),
      target,
      20,
    );
    assertEquals(found.closest.map(({ id }) => keyOf(id)), true20);
  }

  const id = tesseraId(world.random.bytes(32));
  const provider = providerOf(world, publisher!, id);
  const stored = await world.run(
    storeProviders(publisher!.node, id, [provider], never),
  );
  assertTrue(stored.keeperCount >= 20, `${stored.keeperCount} keepers`);
  for (const { node } of world.living.slice(60, 70)) {
    const found = await world.run(findProviders(node, id, never));
    assertEquals(found.map(({ record }) => keyOf(record.holder)), [
      keyOf(publisher!.node.id),
    ]);
  }

  // A third dies at once, the half of them nearest to the key.
  const doomed = new Set(nearest(world.living, keyOfTessera(id), 17));
  for (const one of world.living) {
    if (doomed.size < 33) doomed.add(keyOf(one.node.id));
  }
  doomed.delete(keyOf(asker!.node.id));
  for (const one of world.living) {
    if (doomed.has(keyOf(one.node.id))) world.crash(one);
  }
  const after = await world.run(findProviders(asker!.node, id, never));
  assertEquals(after.length, 1);
  const again = await world.run(
    findNodes(asker!.node, keyOfTessera(id), {}, never),
  );
  const alive = nearest(
    world.living.filter(({ node }) => node !== asker!.node),
    id,
    20,
  );
  const seen = new Set(again.closest.map((one) => keyOf(one.id)));
  const missed = alive.filter((key) => !seen.has(key)).length;
  assertTrue(missed <= 2, `${missed} of the 20 nearest that live are missed`);
});

Deno.test("after a partition heals both halves find each other's records", async () => {
  const world = new World(2);
  await using _world = world;
  await village(world, 14);
  refresh(world);
  const [left, right] = [world.living.slice(0, 7), world.living.slice(7)];
  const [a, b] = [left[3]!, right[3]!];
  world.network.partition(
    left.map(({ address }) => address),
    right.map(({ address }) => address),
  );
  const id = tesseraId(world.random.bytes(32));
  const said = await world.run(
    storeProviders(a.node, id, [providerOf(world, a, id)], never),
  );
  assertTrue(said.keeperCount >= 6, `${said.keeperCount} keepers`);
  assertEquals(await world.run(findProviders(b.node, id, never)), []);
  // Long enough for each half to have given the other up.
  await world.clock.advance(HOUR_MS);
  world.network.heal();
  await world.run(join(b.node, [left[0]!.address], never));
  await world.clock.advance(HOUR_MS);
  const found = await world.run(findProviders(b.node, id, never));
  assertEquals(found.length, 1);
});

Deno.test("a node that lost its line for ten minutes still knows its peers", async () => {
  const world = new World(3);
  await using _world = world;
  await village(world, 12);
  const [one, ...others] = world.living.toReversed();
  const knownCount = one!.node.table.size;
  assertTrue(knownCount >= 11);
  world.network.partition(
    [one!.address],
    others.map(({ address }) => address),
  );
  for (let minute = 0; minute < 10; minute++) {
    const target = nodeId(world.random.bytes(20));
    const found = await world.run(findNodes(one!.node, target, {}, never));
    assertEquals(found.closest, []);
    await world.clock.advance(60_000);
  }
  assertEquals(one!.node.table.size, knownCount);
  assertTrue(one!.runtime.counters.get("table.failure_unproven") > 0);
  world.network.heal();
  await world.clock.advance(5 * 60_000);
  const back = await world.run(findNodes(one!.node, one!.node.id, {}, never));
  assertEquals(back.closest.length, 11);
});

Deno.test("a node comes back from its own peers when every seed is dead, also when all records it kept have run out", async () => {
  const world = new World(4);
  await using _world = world;
  await world.grow(2, ["bootstrap"]);
  await village(world, 8);
  const one = world.living.at(-1)!;
  await world.run(savePeers(one.node, one.state, never));
  for (const seed of world.living.slice(0, 2)) world.crash(seed);
  world.crash(one);
  await world.clock.advance(30 * HOUR_MS);
  const back = await world.restart(one, ["dht"]);
  const entries = await savedPeers(back.node, back.state, never);
  assertTrue(entries.length >= 7, `${entries.length} remembered`);
  const report = await world.run(join(back.node, entries, never));
  assertTrue(report.answered > 0 && report.known >= 6);
  const found = await world.run(findNodes(back.node, back.node.id, {}, never));
  assertEquals(found.closest.length, 7);
});

Deno.test("peers that are gone leave the table, and who lives stays", async () => {
  const world = new World(5);
  await using _world = world;
  await village(world, 10);
  refresh(world);
  const dead = world.living.slice(5, 8);
  for (const one of dead) world.crash(one);
  await world.clock.advance(5 * HOUR_MS);
  for (const { node } of world.living) {
    for (const one of dead) {
      assertEquals(node.table.get(one.node.id), undefined);
    }
    assertEquals(node.table.size, 6);
  }
});

Deno.test("one seed, one history: joining, storing, churn and lookups leave the same trace twice", async () => {
  const run = async (): Promise<string> => {
    const lines: string[] = [];
    const world = new World(6, {
      latencyMs: [5, 80],
      lossRate: 0.02,
      trace: (event) => lines.push(JSON.stringify(event)),
    });
    await using _world = world;
    await village(world, 11);
    refresh(world);
    const [a, b] = world.living.slice(4);
    const id = tesseraId(world.random.bytes(32));
    await world.run(
      storeProviders(a!.node, id, [providerOf(world, a!, id)], never),
    );
    world.crash(world.living[9]!);
    await world.clock.advance(HOUR_MS / 2);
    await world.run(findProviders(b!.node, id, never));
    return lines.join("\n");
  };
  const first = await run();
  assertTrue(first.length > 10_000);
  assertTrue(first === await run(), "the traces differ");
});
