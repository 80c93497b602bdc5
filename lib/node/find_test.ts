import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { keyOf, nodeId, TesserasError } from "@tesseras/core";
import {
  LOOKUP_QUESTIONS_MAX,
  LOOKUP_TIMEOUT_MS,
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
