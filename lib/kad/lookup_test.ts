import fc from "fast-check";
import {
  equal,
  keyOf,
  type NodeId,
  nodeId,
  SeededRandom,
  shuffled,
} from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Contact } from "./bucket.ts";
import { Claims } from "./claims.ts";
import { closer, randomIdInBucket } from "./distance.ts";
import { Lookup } from "./lookup.ts";
import { Table } from "./table.ts";

const TARGET = nodeId(new Uint8Array(20));

/** A contact at a distance from {@link TARGET} that is easy to read. */
function at(distance: number, capabilities = 0): Contact {
  const id = new Uint8Array(20);
  new DataView(id.buffer).setUint32(16, distance);
  return { id: nodeId(id), capabilities };
}

function range(from: number, count: number): Contact[] {
  return Array.from({ length: count }, (_, i) => at(from + i));
}

function distances(contacts: readonly { readonly id: NodeId }[]): number[] {
  return contacts.map(({ id }) =>
    new DataView(id.buffer, id.byteOffset).getUint32(16)
  );
}

/** Answers every question at once until the lookup is over. */
function run<C extends Contact>(
  lookup: Lookup<C>,
  answer: (contact: C) => readonly C[] | undefined,
): void {
  while (!lookup.done) {
    const ask = lookup.next();
    assertTrue(ask.length > 0, "an open lookup has somebody to ask");
    for (const contact of ask) {
      const contacts = answer(contact);
      if (contacts === undefined) lookup.failed(contact.id);
      else lookup.answered(contact.id, contacts);
    }
  }
}

Deno.test("a lookup asks the nearest first and keeps only so many questions in flight", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(1, 9).reverse() });
  assertEquals(distances(lookup.next()), [1, 2, 3]);
  assertEquals(lookup.next(), []);
  lookup.answered(at(2).id, []);
  assertEquals(distances(lookup.next()), [4]);
  lookup.failed(at(1).id);
  assertEquals(distances(lookup.next()), [5]);
});

Deno.test("a late peer makes room for another question, and its answer still counts", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(1, 5), count: 1 });
  assertEquals(distances(lookup.next()), [1, 2, 3]);
  lookup.late(at(1).id);
  assertEquals(distances(lookup.next()), [4]);
  for (const contact of range(2, 3)) lookup.answered(contact.id, []);
  assertEquals([lookup.done, lookup.converged], [false, false]);
  lookup.answered(at(1).id, [at(0)]);
  assertEquals(lookup.next(), [at(0)]);
  lookup.answered(at(0).id, []);
  assertEquals([lookup.done, lookup.closest()], [true, [at(0)]]);
});

Deno.test("a lookup goes on past plausible answers until the nearest known have answered", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(100, 3), count: 3 });
  for (const contact of lookup.next()) {
    lookup.answered(contact.id, contact.id[19] === 100 ? range(50, 2) : []);
  }
  assertEquals(lookup.done, false);
  run(lookup, () => []);
  assertEquals(distances(lookup.closest()), [50, 51, 100]);
});

Deno.test("nothing to start from is a finished, empty lookup", () => {
  const lookup = new Lookup<Contact>({ target: TARGET, seeds: [] });
  assertEquals(
    [lookup.done, lookup.converged, lookup.next(), lookup.closest()],
    [true, true, [], []],
  );
  assertEquals([lookup.hops, lookup.trace], [0, []]);
});

Deno.test("peers that fail are no result and leave their place to the next", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(1, 30), count: 5 });
  run(lookup, ({ id }) => id[19]! % 2 === 0 ? [] : undefined);
  assertEquals(distances(lookup.closest()), [2, 4, 6, 8, 10]);
});

Deno.test("ourselves, the excluded and the known are never asked again", () => {
  const lookup = new Lookup({
    target: TARGET,
    seeds: range(1, 4),
    exclude: (id) => equal(id, at(1).id) || equal(id, at(3).id),
  });
  run(lookup, () => [...range(1, 4), at(4)]);
  assertEquals(distances(lookup.closest()), [2, 4]);
  assertEquals(lookup.trace.length, 2);
});

Deno.test("answers nobody asked for, and second answers, are not heard", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(10, 2), count: 2 });
  lookup.answered(at(10).id, [at(1)]);
  lookup.answered(at(99).id, [at(1)]);
  lookup.failed(at(99).id);
  lookup.late(at(98).id);
  assertEquals(distances(lookup.next()), [10, 11]);
  lookup.answered(at(10).id, []);
  lookup.answered(at(10).id, [at(1)]);
  lookup.failed(at(10).id);
  lookup.answered(at(11).id, []);
  assertEquals([lookup.done, distances(lookup.closest())], [true, [10, 11]]);
});

Deno.test("of an answer with thousands of contacts only as many are looked at as an honest one has", () => {
  const lookup = new Lookup({ target: TARGET, seeds: [at(9_999)], count: 8 });
  lookup.next();
  lookup.answered(at(9_999).id, range(1_000, 5_000));
  assertEquals(
    [lookup.trace[0]?.learnedCount, lookup.knownCount],
    [BUCKET_PEERS_MAX, BUCKET_PEERS_MAX + 1],
  );
});

Deno.test("liars without end meet the question limit, and memory stays bounded", () => {
  const random = new SeededRandom(3);
  const lookup = new Lookup({
    target: TARGET,
    seeds: range(2 ** 31, 20),
    questionsMax: 50,
  });
  let answers = 0;
  run(lookup, ({ id }) => {
    answers++;
    assertTrue(lookup.knownCount <= 100, `${lookup.knownCount} known`);
    // Each names twenty more that are nearer than itself.
    const own = distances([{ id }])[0]!;
    return Array.from({ length: 20 }, () => at(own - 1 - random.below(1_000)));
  });
  assertEquals(lookup.knownCount, 100);
  assertEquals([answers, lookup.trace.length], [50, 50]);
  assertEquals([lookup.done, lookup.converged], [true, false]);
  assertEquals(lookup.closest().length, 20);
});

Deno.test("a lookup whose questions are used up waits for the answers still open", () => {
  const lookup = new Lookup({
    target: TARGET,
    seeds: range(1, 9),
    questionsMax: 2,
  });
  assertEquals(distances(lookup.next()), [1, 2]);
  lookup.answered(at(2).id, []);
  assertEquals([lookup.next(), lookup.done], [[], false]);
  lookup.failed(at(1).id);
  assertEquals([lookup.done, lookup.converged], [true, false]);
});

Deno.test("a lookup for one asks several at once, and nobody once that one is found", () => {
  const lookup = new Lookup({ target: TARGET, seeds: range(1, 9), count: 1 });
  assertEquals(distances(lookup.next()), [1, 2, 3]);
  lookup.answered(at(1).id, []);
  assertEquals([lookup.done, lookup.next()], [true, []]);
});

Deno.test("what is forgotten is what could never have been asked", () => {
  fc.assert(fc.property(
    fc.array(fc.array(fc.nat(400), { maxLength: 6 }), {
      minLength: 401,
      maxLength: 401,
    }),
    fc.integer({ min: 1, max: 12 }),
    (graph, questionsMax) => {
      const options = { target: TARGET, seeds: range(390, 6), count: 6 };
      const bounded = new Lookup({ ...options, questionsMax, parallel: 1 });
      const free = new Lookup({ ...options, questionsMax: 1e6, parallel: 1 });
      const answer = ({ id }: Contact) =>
        graph[distances([{ id }])[0]!]!.map((distance) => at(distance));
      run(bounded, answer);
      run(free, answer);
      const asked = (lookup: Lookup<Contact>) => distances(lookup.trace);
      assertEquals(asked(bounded), asked(free).slice(0, questionsMax));
    },
  ));
});

Deno.test("wanted capabilities decide results, while everybody is asked for directions", () => {
  const store = 4;
  const lookup = new Lookup({
    target: TARGET,
    seeds: [at(5), at(6, store)],
    count: 2,
    want: store,
  });
  run(lookup, ({ id }) => id[19] === 5 ? [at(9, store), at(3)] : []);
  assertEquals(distances(lookup.closest()), [6, 9]);
  assertEquals(distances(lookup.trace).toSorted((a, b) => a - b), [3, 5, 6, 9]);
});

Deno.test("the trace tells of every question who named it, how deep, and how it ended", () => {
  const lookup = new Lookup({ target: TARGET, seeds: [at(7)], count: 3 });
  lookup.next();
  lookup.answered(at(7).id, [at(5), at(3)]);
  lookup.next();
  lookup.failed(at(3).id);
  lookup.late(at(5).id);
  const id = (distance: number) => at(distance).id;
  assertEquals(lookup.trace, [
    {
      id: id(7),
      from: undefined,
      depth: 1,
      outcome: "answered",
      learnedCount: 2,
    },
    { id: id(3), from: id(7), depth: 2, outcome: "failed", learnedCount: 0 },
    { id: id(5), from: id(7), depth: 2, outcome: "late", learnedCount: 0 },
  ]);
  assertEquals(lookup.hops, 1);
  lookup.answered(id(5), []);
  assertEquals([lookup.done, lookup.hops], [true, 2]);
});

Deno.test("paths that share claims ask nobody twice and find together what one finds alone", () => {
  const world = network({ seed: 11, nodeCount: 300, seenCount: 300 });
  const random = new SeededRandom(12);
  for (let round = 0; round < 10; round++) {
    const target = nodeId(random.bytes(20));
    const start = world.tables[random.below(300)]!;
    const seeds = start.closest(target, 18);
    const claimed = new Claims();
    const paths = [0, 1, 2].map((path) =>
      new Lookup({
        target,
        seeds: seeds.filter((_, i) => i % 3 === path),
        claimed,
      })
    );
    while (paths.some((path) => !path.done)) {
      for (const path of paths) {
        for (const contact of path.next()) {
          path.answered(contact.id, world.answer(contact, target));
        }
      }
    }
    const asked = paths.flatMap((path) =>
      path.trace.map(({ id }) => keyOf(id))
    );
    assertEquals(new Set(asked).size, asked.length);
    const together = paths.flatMap((path) => path.closest())
      .sort((a, b) => closer(target, a.id, b.id)).slice(0, 20);
    assertEquals(together, world.nearest(target, 20));
  }
});

Deno.test("a contact another path asked is waited for, and holds nobody up when it failed there", () => {
  const claimed = new Claims();
  const options = { target: TARGET, seeds: range(1, 2), count: 1, claimed };
  const [first, second] = [new Lookup(options), new Lookup(options)];
  assertEquals(distances(first.next()), [1, 2]);
  assertEquals([second.next(), second.done], [[], false]);
  first.failed(at(1).id);
  first.failed(at(2).id);
  assertEquals([first.done, second.done, second.closest()], [true, true, []]);
});

type Net = {
  readonly nodes: readonly Contact[];
  readonly tables: readonly Table<Contact>[];
  readonly tableOf: (node: Contact) => Table<Contact>;
  readonly answer: (asked: Contact, target: NodeId) => Contact[];
  readonly nearest: (target: NodeId, count: number) => Contact[];
};

/** A network that stands still: every node has a table of its own, filled with others it saw in random order. */
function network(
  { seed, nodeCount, seenCount }: {
    readonly seed: number;
    readonly nodeCount: number;
    readonly seenCount: number;
  },
): Net {
  const random = new SeededRandom(seed);
  const nodes = Array.from({ length: nodeCount }, (): Contact => ({
    id: nodeId(random.bytes(20)),
    capabilities: 0,
  }));
  const tables = nodes.map(({ id }) => {
    const table = new Table<Contact>(id);
    for (const other of shuffled(nodes, random).slice(0, seenCount)) {
      table.observe(other, 0);
    }
    return table;
  });
  const byKey = new Map(nodes.map(({ id }, i) => [keyOf(id), tables[i]!]));
  const tableOf = (node: Contact) => byKey.get(keyOf(node.id))!;
  return {
    nodes,
    tables,
    tableOf,
    answer: (asked, target) => tableOf(asked).closest(target, 20),
    nearest: (target, count) =>
      nodes.toSorted((a, b) => closer(target, a.id, b.id)).slice(0, count),
  };
}

/** Looks for its own id (Kademlia 2.3). Whoever is asked learns of the newcomer. */
function join(world: Net, node: Contact, table: Table<Contact>): void {
  const lookup = new Lookup({
    target: node.id,
    seeds: table.closest(node.id, 20),
    exclude: (id) => equal(id, node.id),
  });
  run(lookup, (contact) => {
    const answer = world.answer(contact, node.id);
    world.tableOf(contact).observe(node, 0);
    return answer;
  });
  for (const contact of lookup.closest()) table.observe(contact, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

Deno.test("among 1,000 nodes every lookup finds exactly the 20 nearest, in few hops", () => {
  const world = network({ seed: 1, nodeCount: 1_000, seenCount: 1_000 });
  const random = new SeededRandom(2);
  const hops: number[] = [], questions: number[] = [];
  for (let round = 0; round < 100; round++) {
    const target = nodeId(random.bytes(20));
    const from = random.below(1_000);
    const lookup = new Lookup({
      target,
      seeds: world.tables[from]!.closest(target, 20),
    });
    run(lookup, (contact) => world.answer(contact, target));
    assertTrue(lookup.converged);
    assertEquals(lookup.closest(), world.nearest(target, 20));
    hops.push(lookup.hops);
    questions.push(lookup.trace.length);
  }
  // Kademlia promises log2(n); half of it is what 20 contacts a bucket buy.
  assertTrue(median(hops) <= Math.log2(1_000) / 2, `${median(hops)} hops`);
  assertTrue(median(questions) <= 40, `${median(questions)} questions`);
});

Deno.test("after joining over a few acquaintances, and with a fifth dead, everybody finds the nearest alive", () => {
  const world = network({ seed: 4, nodeCount: 1_000, seenCount: 8 });
  world.nodes.forEach((node, i) => join(world, node, world.tables[i]!));
  const random = new SeededRandom(5);
  const dead = new Set(
    shuffled(world.nodes, random).slice(0, 200).map(({ id }) => keyOf(id)),
  );
  let exact = 0;
  for (let round = 0; round < 100; round++) {
    const target = nodeId(random.bytes(20));
    const lookup = new Lookup({
      target,
      seeds: world.tables[random.below(1_000)]!.closest(target, 20),
    });
    run(
      lookup,
      (contact) =>
        dead.has(keyOf(contact.id)) ? undefined : world.answer(contact, target),
    );
    const nearest = world.nearest(target, 30)
      .find(({ id }) => !dead.has(keyOf(id)));
    if (lookup.closest()[0] === nearest) exact++;
  }
  assertEquals(exact, 100);
});

Deno.test("a lookup for a node's own neighbourhood finds ids that agree in 100 bits", () => {
  const random = new SeededRandom(8);
  const self = nodeId(random.bytes(20));
  const crowd = Array.from({ length: 60 }, (): Contact => ({
    id: randomIdInBucket(self, random.below(60), random),
    capabilities: 0,
  }));
  const lookup = new Lookup({ target: self, seeds: crowd.slice(0, 3) });
  run(lookup, () => shuffled(crowd, random).slice(0, 20));
  const known = new Set(lookup.trace.map(({ id }) => keyOf(id)));
  assertTrue(lookup.converged && known.size >= 20);
});
