/** What one bad peer can do to the lookups of others: be counted. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { type Clock, keyOf, nodeId, subnetOf } from "@tesseras/core";
import { NODE_RECORD_TTL_MS, QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import type { Handler } from "@tesseras/net";
import { type Inhabitant, never, World } from "@tesseras/testing/sim";
import { signNodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import { join } from "./join.ts";

const HOUR_MS = 3_600_000;
const target = nodeId(new Uint8Array(20).fill(9));

/** An honest network, of which one also knows a peer that answers as it likes. */
async function beside(world: World, liar: Handler) {
  const honest = await world.grow(8, ["dht"]);
  const rogue = await world.rogue(liar);
  const asker = honest[0]!;
  const hello = { type: "find_node", target, want: 0 } as const;
  await world.run(rogue.peers.ask(asker.node.record(), hello, {}, never));
  return { asker, honest, rogue };
}

/** Whether a lookup finds all the honest. */
async function findsAll(
  world: World,
  asker: Inhabitant,
  honest: readonly Inhabitant[],
): Promise<boolean> {
  const found = await world.run(findNodes(asker.node, target, {}, never));
  const ids = new Set(found.closest.map(({ id }) => keyOf(id)));
  return honest.every(({ node }) =>
    node === asker.node || ids.has(keyOf(node.id))
  );
}

const naming = (records: readonly Uint8Array[]): Handler => () =>
  Promise.resolve({ response: { type: "nodes", records } });

Deno.test("a peer that names itself, or us, or nobody is heard once and counted", async () => {
  const world = new World(1);
  await using _world = world;
  const said: Uint8Array[] = [];
  const { asker, honest, rogue } = await beside(
    world,
    (...ask) => naming(said)(...ask),
  );
  const { counters } = asker.runtime;
  const before = counters.get("lookup.answer_empty");
  assertTrue(await findsAll(world, asker, honest));
  assertEquals(counters.get("lookup.answer_empty") - before, 1);
  said.push(rogue.record.bytes);
  assertTrue(await findsAll(world, asker, honest));
  assertEquals(counters.get("lookup.named_itself"), 1);
  said.push(asker.node.record().bytes);
  assertTrue(await findsAll(world, asker, honest));
  assertEquals(counters.get("lookup.named_asker"), 1);
});

Deno.test("a peer that names thousands has given no answer", async () => {
  const world = new World(2);
  await using _world = world;
  const one = world.recordOf(await world.identity(), []).bytes;
  const { asker, honest } = await beside(world, naming(Array(60).fill(one)));
  assertTrue(await findsAll(world, asker, honest));
  assertEquals(asker.runtime.counters.get("lookup.answer_bad"), 1);
});

Deno.test("a peer that never answers is counted, and leaves the table", async () => {
  const world = new World(3);
  await using _world = world;
  const { asker, honest, rogue } = await beside(
    world,
    async (_from, _request, _bulk, signal) => {
      await world.clock.sleep(1e9, signal);
      return { response: { type: "nodes", records: [] } };
    },
  );
  const { counters } = asker.runtime;
  for (let i = 0; i < 3; i++) {
    assertTrue(await findsAll(world, asker, honest));
    await world.clock.advance(QUERY_TIMEOUT_MS);
  }
  assertEquals(counters.get("lookup.question_late"), 3);
  assertEquals(counters.get("lookup.unanswered"), 3);
  assertEquals(counters.get("table.removed"), 1);
  assertEquals(asker.node.table.get(rogue.record.id), undefined);
});

Deno.test("records from the future, and those that ran out, lead nowhere and are counted", async () => {
  const world = new World(4);
  await using _world = world;
  const records: Uint8Array[] = [];
  for (const offsetMs of [5 * HOUR_MS, -2 * NODE_RECORD_TTL_MS]) {
    const sequence = world.clock.nowMs() + offsetMs;
    const signed = signNodeRecord({
      addresses: [{ ip: "12.0.0.1", port: 4433 }],
      capabilities: 0,
      nat: "unknown",
      sequence,
      expiresAtMs: sequence + NODE_RECORD_TTL_MS,
    }, await world.identity());
    records.push(signed.bytes);
  }
  const { asker, honest } = await beside(world, naming(records));
  assertTrue(await findsAll(world, asker, honest));
  assertEquals(asker.runtime.counters.get("record.out_of_time"), 2);
  assertEquals(asker.node.table.size, 8);
});

/** A clock that goes as the world's, and shows another time. */
function wrongBy(world: World, offsetMs: number): Clock {
  const { clock } = world;
  return {
    nowMs: () => clock.nowMs() + offsetMs,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    deadline: (ms, parent) => clock.deadline(ms, parent),
  };
}

Deno.test("a node whose clock is hours ahead is turned away, and one whose clock is behind does no harm", async () => {
  const world = new World(5);
  await using _world = world;
  const honest = await world.grow(8, ["dht"]);
  const [asker] = honest as [Inhabitant];
  const ahead = await world.add(["dht"], {
    clock: wrongBy(world, 5 * HOUR_MS),
  });
  await assertRejectsCode(
    world.run(join(ahead.node, [asker.address], never)),
    "unreachable",
  );
  assertTrue(asker.runtime.counters.get("hello.forged_record") > 0);
  const behind = await world.add(["dht"], {
    clock: wrongBy(world, -5 * HOUR_MS),
  });
  // To it, everybody else is from the future.
  await assertRejectsCode(
    world.run(join(behind.node, [asker.address], never)),
    "unreachable",
  );
  for (const one of honest) {
    assertTrue(await findsAll(world, one, honest));
  }
});

Deno.test("a crowd of ids alike in their first bits waits for a place, and honest lookups go on", async () => {
  const world = new World(6);
  await using _world = world;
  const one = await world.add(["dht"], { node: { bucketPeersMax: 4 } });
  const honest = [one];
  for (let i = 0; i < 6; i++) {
    const peer = await world.add(["dht"]);
    await world.run(join(peer.node, [one.address], never));
    honest.push(peer);
  }
  const known = [...one.node.table.entries()].map(({ contact }) => contact);
  // Alike in the nine bits that put them into the farthest bucket of the node they crowd round.
  let crowdCount = 0;
  while (crowdCount < 8) {
    const identity = await world.identity();
    if (((identity.id[1]! ^ one.node.id[1]!) & 0x80) === 0) continue;
    const peer = await world.add([], { identity });
    await world.run(join(peer.node, [one.address], never));
    crowdCount++;
  }
  assertTrue(one.runtime.counters.get("table.bucket_full") > 0);
  for (const { id } of known) assertTrue(one.node.table.get(id) !== undefined);
  assertTrue(await findsAll(world, honest[3]!, honest));
});

Deno.test("a peer counts towards the subnet it is met in, whatever its record claims", async () => {
  const world = new World(7);
  await using _world = world;
  const one = await world.add(["dht"], {
    node: { subnetPeersMax: { bucket: 2, table: 3 } },
  });
  for (let host = 1; host <= 6; host++) {
    const claimed = { ip: `14.0.${host}.1`, port: 4433 };
    const liar = await world.add([], {
      address: { ip: `13.0.0.${host}`, port: 4433 },
      node: { addresses: [claimed] },
    });
    await world.run(join(liar.node, [one.address], never)).catch(() => {});
  }
  const subnets = [...one.node.table.entries()].map(({ contact }) =>
    contact.subnet
  );
  assertTrue(subnets.length > 0 && subnets.length <= 3);
  assertTrue(subnets.every((subnet) => subnet === subnetOf("13.0.0.1")));
  assertTrue(one.runtime.counters.get("table.refused") >= 3);
});
