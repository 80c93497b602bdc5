import fc from "fast-check";
import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import {
  LOOKUP_IN_FLIGHT_MAX,
  LOOKUP_PATHS_MAX,
  LOOKUP_QUESTIONS_MAX,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { Paths } from "./paths.ts";

const TARGET = nodeId(new Uint8Array(20));

/** A contact at a distance from {@link TARGET} that is easy to read. */
function at(distance: number, subnet?: string): Contact {
  const id = new Uint8Array(20);
  new DataView(id.buffer).setUint32(16, distance);
  return {
    id: nodeId(id),
    capabilities: 0,
    ...(subnet !== undefined && { subnet }),
  };
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
function run(
  paths: Paths<Contact>,
  answer: (contact: Contact) => readonly Contact[] | undefined,
): void {
  while (!paths.done) {
    const ask = paths.next();
    assertTrue(ask.length > 0, "an open lookup has somebody to ask");
    for (const contact of ask) {
      const contacts = answer(contact);
      if (contacts === undefined) paths.failed(contact.id);
      else paths.answered(contact.id, contacts);
    }
  }
}

/** Who asked whom, by path. */
function asked(paths: Paths<Contact>): Map<number, number[]> {
  const by = new Map<number, number[]>();
  for (const { path, id } of paths.trace) {
    by.set(path, [...by.get(path) ?? [], ...distances([{ id }])]);
  }
  return by;
}

Deno.test("seeds are dealt to the paths in turn, nearest first, whatever order they come in", () => {
  const seeds = range(1, 9).reverse();
  const paths = new Paths({ target: TARGET, seeds, parallel: 2 });
  paths.next();
  assertEquals(
    asked(paths),
    new Map([[0, [1, 4]], [1, [2, 5]], [2, [3, 6]]]),
  );
});

Deno.test("fewer seeds than paths make as many paths, and none a finished, empty lookup", () => {
  const two = new Paths({ target: TARGET, seeds: range(1, 2) });
  two.next();
  assertEquals(asked(two), new Map([[0, [1]], [1, [2]]]));
  const none = new Paths<Contact>({ target: TARGET, seeds: [] });
  assertEquals(
    [none.done, none.converged, none.next(), none.closest(), none.trace],
    [true, true, [], [], []],
  );
  assertEquals([none.hops, none.onlyLate, none.knownCount], [0, false, 0]);
});

Deno.test("one path alone is Kademlia's lookup", () => {
  const paths = new Paths({ target: TARGET, seeds: range(5, 4), pathsMax: 1 });
  run(paths, () => range(1, 9));
  assertEquals(distances(paths.closest()), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertTrue(paths.trace.every(({ path }) => path === 0));
});

Deno.test("whatever peers answer, nobody is asked twice, limits hold, and the lookup ends", () => {
  const graphs = fc.array(fc.array(fc.nat(300), { maxLength: 30 }), {
    minLength: 301,
    maxLength: 301,
  });
  const mute = fc.uniqueArray(fc.nat(300));
  fc.assert(
    fc.property(
      graphs,
      mute,
      fc.nat(30),
      fc.integer({ min: 1, max: 30 }),
      (graph, muteIds, seedCount, questionsMax) => {
        const paths = new Paths({
          target: TARGET,
          seeds: range(250, seedCount),
          questionsMax,
          count: 8,
        });
        run(paths, (contact) => {
          const [own] = distances([contact]);
          return muteIds.includes(own!)
            ? undefined
            : graph[own!]!.map((distance) => at(distance));
        });
        const ids = paths.trace.map(({ id }) => keyOf(id));
        assertEquals(new Set(ids).size, ids.length);
        assertTrue(ids.length < questionsMax + LOOKUP_PATHS_MAX);
        const found = paths.closest();
        assertTrue(found.length <= 8);
        const answered = paths.trace.filter(({ outcome }) =>
          outcome === "answered"
        ).sort((a, b) => closer(TARGET, a.id, b.id));
        assertEquals(distances(found), distances(answered).slice(0, 8));
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("no more are in flight than the answers that may come at once, until some are late", () => {
  const seeds = range(1, 60);
  const paths = new Paths({ target: TARGET, seeds, count: 60 });
  const first = paths.next();
  for (const { id } of first) paths.answered(id, []);
  const swept = paths.next();
  assertEquals(swept.length, LOOKUP_IN_FLIGHT_MAX);
  assertEquals(paths.next(), []);
  paths.late(swept[0]!.id);
  assertEquals(paths.next().length, 1);
});

Deno.test("a lookup is held up by none of its paths alone, and waits for the late of all", () => {
  const paths = new Paths({ target: TARGET, seeds: range(1, 3), count: 3 });
  const [one, two, three] = paths.next();
  paths.late(one!.id);
  assertEquals(paths.onlyLate, false);
  paths.answered(two!.id, []);
  assertEquals([paths.onlyLate, paths.done], [false, false]);
  paths.answered(three!.id, []);
  assertEquals([paths.onlyLate, paths.done], [true, false]);
  paths.answered(one!.id, []);
  assertEquals([paths.onlyLate, paths.done, paths.converged], [
    false,
    true,
    true,
  ]);
});

Deno.test("a lookup ends without a few slow ones once as many farther ones have answered, and still hears them", () => {
  const everybody = range(1, 30);
  const paths = new Paths({ target: TARGET, seeds: everybody, count: 20 });
  const slow = [6, 9, 14, 17];
  const answerAll = (): void => {
    for (let ask = paths.next(); ask.length > 0; ask = paths.next()) {
      for (const { id } of ask) {
        const [distance] = distances([{ id }]);
        if (!slow.includes(distance!)) paths.answered(id, everybody);
      }
    }
  };
  answerAll();
  assertEquals([paths.done, paths.openCount], [false, 4]);
  for (const distance of slow) {
    if (paths.done) break;
    // Found late, it leaves its place to the next.
    paths.late(at(distance).id);
    answerAll();
  }
  assertEquals([paths.done, paths.converged, paths.openCount], [true, true, 4]);
  const found = distances(paths.closest());
  assertEquals(found.length, 20);
  assertTrue(slow.every((distance) => !found.includes(distance)));
  for (const distance of slow) paths.answered(at(distance).id, []);
  assertEquals(paths.closest(), range(1, 20));
});

Deno.test("of the nearest three none is overtaken, and nobody where that was asked for", () => {
  for (const [slow, overtakenMax] of [[3, undefined], [12, 0]] as const) {
    const seeds = range(1, 40);
    const options = { target: TARGET, seeds, count: 20, overtakenMax };
    const paths = new Paths(options);
    for (let ask = paths.next(); ask.length > 0; ask = paths.next()) {
      for (const { id } of ask) {
        if (distances([{ id }])[0] !== slow) paths.answered(id, []);
      }
    }
    assertEquals([paths.done, paths.openCount], [false, 1]);
    paths.answered(at(slow).id, []);
    assertEquals([paths.done, paths.openCount], [true, 0]);
    assertEquals(distances(paths.closest()), distances(range(1, 20)));
  }
});

Deno.test("whoever is likely among the nearest is asked as soon as anybody names them", () => {
  const far = (byte: number): Contact => ({
    id: nodeId(new Uint8Array(20).fill(byte)),
    capabilities: 0,
  });
  const seeds = [255, 254, 253].map(far);
  const askedAfter = (size: number | undefined): number => {
    const surroundings = size === undefined ? undefined : { size, powBits: 0 };
    const paths = new Paths({ target: TARGET, seeds, surroundings });
    const [first] = paths.next();
    paths.answered(first!.id, range(1, 12));
    return paths.next().length;
  };
  assertEquals([askedAfter(undefined), askedAfter(10_000)], [3, 12]);
});

Deno.test("those who are named and silent hide nobody", () => {
  const fakes = range(1, 20);
  const honest = range(1_000, 12);
  const seeds = [at(5_000), at(5_001), at(5_002)];
  const surroundings = { size: 2 ** 140, powBits: 0 };
  const paths = new Paths({ target: TARGET, seeds, surroundings });
  const [liar, one, two] = paths.next();
  paths.answered(liar!.id, fakes);
  const silent = paths.next();
  paths.answered(one!.id, honest);
  paths.answered(two!.id, honest);
  for (let ask = paths.next(); ask.length > 0; ask = paths.next()) {
    for (const { id } of ask) paths.answered(id, honest);
  }
  const reached = (): number =>
    paths.trace.filter(({ id }) => distances([{ id }])[0]! >= 1_000).length;
  assertTrue(reached() >= 3 + 5, `${reached()}`);
  for (const { id } of silent) paths.late(id);
  for (let ask = paths.next(); ask.length > 0; ask = paths.next()) {
    for (const { id } of ask) {
      if (distances([{ id }])[0]! < 1_000) paths.late(id);
      else paths.answered(id, honest);
    }
  }
  assertEquals(distances(paths.closest()).slice(0, 12), distances(honest));
});

Deno.test("answers and failures of strangers, and second ones, are not heard", () => {
  const paths = new Paths({ target: TARGET, seeds: range(5, 3) });
  const [one] = paths.next();
  paths.answered(at(99).id, [at(1)]);
  paths.failed(at(99).id);
  paths.late(at(99).id);
  paths.answered(one!.id, []);
  paths.answered(one!.id, [at(1)]);
  for (const contact of range(6, 2)) paths.answered(contact.id, []);
  assertEquals([paths.done, distances(paths.closest())], [true, [5, 6, 7]]);
});

Deno.test("a peer is judged by the network it was met in, not by the one it claims", () => {
  const seeds = range(1, 6).map((contact, i) => ({
    ...contact,
    subnet: `claimed ${i}`,
  }));
  const paths = new Paths({ target: TARGET, seeds, subnetMax: 2 });
  while (!paths.done) {
    for (const contact of paths.next()) {
      paths.answered(contact.id, [], { ...contact, subnet: "true" });
    }
  }
  assertEquals(distances(paths.closest()), [1, 2]);
});

Deno.test("of one subnet only so many are asked and found, and the next when those fail", () => {
  const crowd = Array.from({ length: 30 }, (_, i) => at(i, "crowded"));
  const others = Array.from({ length: 6 }, (_, i) => at(100 + i, `other ${i}`));
  const options = { target: TARGET, seeds: others, count: 6, subnetMax: 2 };
  const paths = new Paths(options);
  run(paths, () => [...crowd.slice(0, 14), ...others]);
  assertEquals(distances(paths.closest()), [0, 1, 100, 101, 102, 103]);
  const failing = new Paths(options);
  run(failing, ({ id }) => distances([{ id }])[0]! < 2 ? undefined : crowd);
  assertEquals(distances(failing.closest()), [2, 3, 100, 101, 102, 103]);
});

Deno.test("a crowd of one subnet cannot push those who will be asked out of memory", () => {
  const crowd = Array.from({ length: 200 }, (_, i) => at(i, "crowded"));
  const honest = at(10_000, "honest");
  const paths = new Paths({
    target: TARGET,
    seeds: [at(20_000, "a liar")],
    subnetMax: 2,
    questionsMax: 30,
  });
  let page = 0;
  run(paths, ({ id }) => {
    const [own] = distances([{ id }]);
    if (own === 20_000) return [honest, ...crowd.slice(0, 19)];
    page++;
    return crowd.slice(19 * page, 19 * page + 19);
  });
  assertTrue(distances(paths.closest()).includes(10_000));
});

/** A liar in the table names only its own, who name each other, each of them nearer to the target than anybody honest. */
function poisoned(options: {
  readonly liarIn: number;
  readonly pathsMax: number;
}): { readonly paths: Paths<Contact>; readonly nearestHonest: number } {
  const random = new SeededRandom(9);
  const far = () => HONEST_MIN + random.below(2 ** 30);
  const honest = Array.from({ length: 400 }, far).sort((a, b) => a - b);
  const seeds = honest.slice(200, 220);
  const liars = new Set([seeds[options.liarIn]]);
  const paths = new Paths({
    target: TARGET,
    seeds: seeds.map((distance) => at(distance)),
    pathsMax: options.pathsMax,
  });
  run(paths, (contact) => {
    const [own] = distances([contact]);
    if (liars.has(own)) {
      const minted = Array.from({ length: 20 }, () => 1 + random.below(999));
      for (const distance of minted) liars.add(distance);
      return minted.map((distance) => at(distance));
    }
    // Each honest peer knows those half as far from the target.
    const from = Math.floor(honest.indexOf(own!) / 2);
    return honest.slice(from, from + 20).map((distance) => at(distance));
  });
  return { paths, nearestHonest: honest[0]! };
}

const HONEST_MIN = 1_000;

Deno.test("a liar in our table leads one path astray, and the others reach the nearest honest", () => {
  for (const liarIn of [0, 1, 2, 4]) {
    const { paths, nearestHonest } = poisoned({
      liarIn,
      pathsMax: LOOKUP_PATHS_MAX,
    });
    const by = asked(paths);
    const astray = [...by].filter(([, ids]) =>
      ids.some((distance) => distance < HONEST_MIN)
    ).map(([path]) => path);
    assertEquals(astray, [liarIn % LOOKUP_PATHS_MAX]);
    const others = [...by].filter(([path]) => !astray.includes(path))
      .flatMap(([, ids]) => ids);
    assertTrue(others.includes(nearestHonest), `liar among seeds: ${liarIn}`);
  }
  // On one path the same liar hides it.
  const { paths, nearestHonest } = poisoned({ liarIn: 0, pathsMax: 1 });
  assertEquals(asked(paths).get(0)!.includes(nearestHonest), false);
});

Deno.test("a path led astray uses up its own share of the questions alone", () => {
  const { paths } = poisoned({ liarIn: 0, pathsMax: LOOKUP_PATHS_MAX });
  const astray = asked(paths).get(0)!;
  assertEquals(astray.length, LOOKUP_QUESTIONS_MAX / LOOKUP_PATHS_MAX);
  assertEquals(paths.converged, false);
});
