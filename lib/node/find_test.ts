import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf, nodeId, TesserasError } from "@tesseras/core";
import {
  LOOKUP_QUESTIONS_MAX,
  LOOKUP_TIMEOUT_MS,
  QUERY_LATE_MIN_MS,
  QUERY_LATE_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { Handler } from "@tesseras/net";
import {
  type Inhabitant,
  never,
  type Rogue,
  World,
} from "@tesseras/testing/sim";
import { find, findNodes } from "./find.ts";
import type { LookupTrace } from "./trace.ts";

/** A node that knows honest peers and rogues which answer `find_node` as told. */
async function among(
  world: World,
  rogueCount: number,
  answer: (rogues: readonly Rogue[], ask: Parameters<Handler>) => ReturnType<
    Handler
  >,
): Promise<{ readonly asker: Inhabitant; readonly rogues: readonly Rogue[] }> {
  await world.grow(6, ["dht"]);
  const rogues: Rogue[] = [];
  for (let i = 0; i < rogueCount; i++) {
    rogues.push(await world.rogue((...ask) => answer(rogues, ask)));
  }
  const asker = world.inhabitants[0]!;
  for (const { peers } of rogues) {
    await world.run(
      peers.ask(
        asker.node.record(),
        {
          type: "find_node",
          target: asker.node.id,
          want: 0,
        },
        {},
        never,
      ),
    );
  }
  assertEquals(asker.node.table.size, 5 + rogueCount);
  return { asker, rogues };
}

const target = nodeId(new Uint8Array(20).fill(9));

Deno.test("a lookup ends with the honest when others never answer, and does not wait for one after the other", async () => {
  const world = new World(1);
  await using _world = world;
  const { asker } = await among(
    world,
    6,
    (_rogues, [, , , signal]) =>
      world.clock.sleep(1e9, signal).then(() => {
        throw new TesserasError("timeout", "Cannot come here");
      }),
  );
  const beganMs = world.clock.monotonicMs();
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(found.closest.length, 5);
  const tookMs = world.clock.monotonicMs() - beganMs;
  // Six silent peers, three at a time: two rounds of lateness, and as long again for the last of them.
  assertTrue(tookMs <= 3 * QUERY_LATE_MS + 500, `${tookMs} ms`);
  const { counters } = asker.runtime;
  assertEquals(counters.get("lookup.question_late"), 6);
  // They are not let off: each has its full time, and then it has failed.
  assertEquals(counters.get("lookup.question_failed"), 0);
  await world.clock.advance(QUERY_TIMEOUT_MS);
  assertEquals(counters.get("lookup.question_failed"), 6);
});

Deno.test("an answer that is late is still heard", async () => {
  const world = new World(2);
  await using _world = world;
  const { asker, rogues } = await among(
    world,
    1,
    async (_rogues, [, , , signal]) => {
      await world.clock.sleep(1.5 * QUERY_LATE_MS, signal);
      return { response: { type: "nodes", records: [] } };
    },
  );
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(asker.runtime.counters.get("lookup.question_late"), 1);
  assertTrue(
    found.closest.some(({ id }) => keyOf(id) === keyOf(rogues[0]!.record.id)),
  );
});

Deno.test("peers that name themselves, nobody, the asker or rubbish lead a lookup nowhere", async () => {
  const world = new World(3);
  await using _world = world;
  const { asker } = await among(world, 4, (rogues, [from]) => {
    const [one, two, three] = rogues;
    const records = {
      [keyOf(one!.record.id)]: [one!.record.bytes, from.bytes],
      [keyOf(two!.record.id)]: [],
      [keyOf(three!.record.id)]: [new Uint8Array(30), new Uint8Array(0)],
    };
    // Each says the same of all; the fourth alters a signed byte of a record that holds.
    const bent = from.bytes.slice();
    bent[bent.length - 1]! ^= 1;
    const all = [...Object.values(records).flat(), bent];
    return Promise.resolve({ response: { type: "nodes", records: all } });
  });
  const sizeBefore = asker.node.table.size;
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(found.closest.length, 9);
  assertEquals(asker.node.table.size, sizeBefore);
  assertEquals(asker.runtime.counters.get("record.refused"), 4 * 3);
});

Deno.test("peers that name ever more peers who do not exist cannot keep a lookup going", async () => {
  const world = new World(4);
  await using _world = world;
  const ghosts: Uint8Array[] = [];
  for (let i = 0; i < 200; i++) {
    const address = { ip: `12.0.${i}.1`, port: 4433 };
    ghosts.push(world.recordOf(await world.identity(), [address]).bytes);
  }
  const { asker } = await among(world, 3, () => {
    const records = Array.from(
      { length: 20 },
      () => ghosts[world.random.below(ghosts.length)]!,
    );
    return Promise.resolve({ response: { type: "nodes", records } });
  });
  const beganMs = world.clock.monotonicMs();
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertTrue(world.clock.monotonicMs() - beganMs <= LOOKUP_TIMEOUT_MS);
  assertTrue(found.trace.length <= LOOKUP_QUESTIONS_MAX);
  // Nobody got a place in the table by being named.
  assertEquals(asker.node.table.size, 8);
  assertEquals(found.closest.length, 8);
});

Deno.test("more peers than a message may name are no answer", async () => {
  const world = new World(5);
  await using _world = world;
  const { asker } = await among(world, 1, (rogues) =>
    Promise.resolve({
      response: {
        type: "nodes",
        records: Array(50).fill(rogues[0]!.record.bytes),
      },
    }));
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(found.closest.length, 5);
  assertEquals(asker.runtime.counters.get("lookup.question_failed"), 1);
});

Deno.test("a lookup whose time is up gives what it has and blames nobody it asked just now", async () => {
  const world = new World(6);
  await using _world = world;
  await world.grow(6, ["dht"]);
  const asker = world.inhabitants[0]!;
  let answeredCount = 0;
  const found = await world.run(
    find(asker.node, target, { count: 120 }, async (_peer, signal) => {
      if (answeredCount++ < 2) return [];
      // Endless questions that keep within each one's time.
      await world.clock.sleep(QUERY_LATE_MS - 1, signal);
      const record = world.recordOf(await world.identity(), []);
      return [record];
    }, never),
  );
  assertEquals(asker.runtime.counters.get("lookup.timeout"), 1);
  assertTrue(found.closest.length >= 2);
  assertEquals(asker.runtime.counters.get("table.removed"), 0);
});

Deno.test("every question is on record: path, address, times and outcome", async () => {
  const world = new World(9);
  await using _world = world;
  const { asker, rogues } = await among(
    world,
    1,
    async (_rogues, [, , , signal]) => {
      await world.clock.sleep(1e9, signal);
      return { response: { type: "nodes", records: [] } };
    },
  );
  const told: LookupTrace[] = [];
  using _watch = asker.node.lookups.watch((trace) => told.push(trace));
  const beganMs = world.clock.monotonicMs();
  const found = await world.run(findNodes(asker.node, target, {}, never));
  const tookMs = world.clock.monotonicMs() - beganMs;
  const [trace] = told;
  assertEquals(trace, {
    target,
    tookMs,
    hops: 1,
    foundCount: 5,
    questions: found.trace,
  });
  assertEquals(found.trace.length, 6);
  for (const hop of found.trace) {
    const silent = keyOf(hop.id) === keyOf(rogues[0]!.record.id);
    assertEquals(hop.outcome, silent ? "late" : "answered");
    assertEquals(hop.endedMs === undefined, silent);
    assertTrue(silent || hop.endedMs! >= hop.askedMs + 40, "a round trip");
    assertEquals([hop.from, hop.depth, hop.address!.port], [
      undefined,
      1,
      4433,
    ]);
  }
  assertEquals([...new Set(found.trace.map(({ path }) => path))].sort(), [
    0,
    1,
    2,
  ]);
});

Deno.test("a failure is on record with its reason, and a watcher that left hears nothing", async () => {
  const world = new World(10);
  await using _world = world;
  await world.grow(4, ["dht"]);
  const asker = world.inhabitants[0]!;
  const told: LookupTrace[] = [];
  {
    using _watch = asker.node.lookups.watch((trace) => told.push(trace));
    await world.run(find(asker.node, target, {}, (peer) => {
      if (keyOf(peer.id) !== keyOf(world.inhabitants[1]!.node.id)) {
        return Promise.resolve([]);
      }
      throw new TesserasError("overloaded", "Cannot answer now");
    }, never));
  }
  await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(told.length, 1);
  const failed = told[0]!.questions.filter(({ outcome }) =>
    outcome === "failed"
  );
  assertEquals(failed.map(({ reason }) => reason), ["overloaded"]);
  assertEquals(asker.runtime.counters.get("lookup.refused"), 1);
});

Deno.test("a liar in the table cannot keep a lookup from the honest", async () => {
  const world = new World(11);
  await using _world = world;
  const lies: Uint8Array[] = [];
  const { asker } = await among(
    world,
    1,
    () => Promise.resolve({ response: { type: "nodes", records: lies } }),
  );
  // Twenty that do not exist, all of them as near to the target as anybody may hope for.
  const near = nodeId(target.map((byte, at) => at === 0 ? 0 : byte));
  for (let i = 0; i < 20; i++) {
    const address = { ip: `12.0.${i}.1`, port: 4433 };
    lies.push(world.recordOf(await world.identity(), [address]).bytes);
  }
  const found = await world.run(findNodes(asker.node, near, {}, never));
  const ids = new Set(found.closest.map(({ id }) => keyOf(id)));
  for (const { node } of world.inhabitants.slice(1)) {
    assertTrue(ids.has(keyOf(node.id)));
  }
  const named = found.trace.filter(({ from }) => from !== undefined);
  assertEquals(new Set(named.map(({ path }) => path)).size, 1);
});

Deno.test("a node whose peers answer at once soon stops waiting a second for the silent", async () => {
  const world = new World(12);
  await using _world = world;
  await world.grow(8, ["dht"]);
  const asker = world.inhabitants[0]!;
  for (let i = 0; i < 3; i++) {
    await world.run(findNodes(asker.node, target, {}, never));
  }
  world.crash(world.inhabitants[1]!);
  const beganMs = world.clock.monotonicMs();
  const found = await world.run(findNodes(asker.node, target, {}, never));
  assertEquals(found.closest.length, 6);
  const tookMs = world.clock.monotonicMs() - beganMs;
  assertTrue(tookMs <= 2 * QUERY_LATE_MIN_MS, `${tookMs} ms`);
});

Deno.test("a lookup stops as soon as it is told to", async () => {
  const world = new World(7);
  await using _world = world;
  await world.grow(4, ["dht"]);
  const asker = world.inhabitants[0]!;
  const stop = new AbortController();
  const looking = findNodes(asker.node, target, {}, stop.signal);
  stop.abort();
  await assertRejectsCode(world.run(looking), "cancelled");
  await assertRejectsCode(
    findNodes(asker.node, target, {}, stop.signal),
    "cancelled",
  );
});

Deno.test("a bug in a question ends the lookup and is told", async () => {
  const world = new World(8);
  await using _world = world;
  await world.grow(3, ["dht"]);
  const asker = world.inhabitants[0]!;
  const beganMs = world.clock.monotonicMs();
  let thrown: unknown;
  try {
    await world.run(
      find(asker.node, target, {}, () => {
        throw new RangeError("oops");
      }, never),
    );
  } catch (error) {
    thrown = error;
  }
  assertTrue(thrown instanceof RangeError, String(thrown));
  const tookMs = world.clock.monotonicMs() - beganMs;
  assertTrue(tookMs < QUERY_LATE_MS, `${tookMs} ms`);
});
