import fc from "fast-check";
import { keyOf, nodeId, SeededRandom, shuffled } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { type Candidate, place, type PlaceOptions } from "./placement.ts";

const KEY = nodeId(new Uint8Array(20));

type Made = Candidate<Contact>;

/** A peer at a readable distance from {@link KEY}, in a subnet of its own unless told. */
function peer(
  distance: number,
  made: Partial<Omit<Made, "contact">> & { readonly subnet?: string } = {},
): Made {
  const { subnet = `subnet ${distance}`, ...rest } = made;
  const id = new Uint8Array(20);
  new DataView(id.buffer).setUint32(16, distance);
  return { contact: { id: nodeId(id), subnet, capabilities: 0 }, ...rest };
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function distanceOf({ id }: Contact): number {
  return new DataView(id.buffer).getUint32(16);
}

/** Fragment index to distance of its peer. */
function placed(
  wanted: number,
  candidates: readonly Made[],
  options: Partial<PlaceOptions<Contact>> = {},
): [Record<number, number>, number[]] {
  const { assignments, spare } = place(indices(wanted), candidates, {
    key: KEY,
    ...options,
  });
  return [
    Object.fromEntries([...assignments].map(([i, to]) => [i, distanceOf(to)])),
    spare.map(distanceOf),
  ];
}

Deno.test("fragments go to distinct peers, nearest first, and the rest are spare", () => {
  const [assigned, spare] = placed(3, [4, 2, 5, 1, 3].map((d) => peer(d)));
  assertEquals(assigned, { 0: 1, 1: 2, 2: 3 });
  assertEquals(spare, [4, 5]);
});

Deno.test("fewer peers than fragments take turns", () => {
  const [assigned, spare] = placed(5, [peer(1), peer(2)]);
  assertEquals(assigned, { 0: 1, 1: 2, 2: 1, 3: 2, 4: 1 });
  assertEquals(spare, []);
});

Deno.test("a whole copy is given to each peer once, and copies without a peer have no place", () => {
  const [assigned] = placed(7, [peer(1), peer(2)], { perPeerMax: 1 });
  assertEquals(assigned, { 0: 1, 1: 2 });
});

Deno.test("a subnet takes two peers of a tessera, unless the limit is lifted", () => {
  const crowd = [1, 2, 3, 4].map((d) => peer(d, { subnet: "192.0.2.0/24" }));
  const everyone = [...crowd, peer(9)];
  assertEquals(placed(3, everyone), [{ 0: 1, 1: 2, 2: 9 }, []]);
  assertEquals(
    placed(3, everyone, { subnetLimit: undefined }),
    [{ 0: 1, 1: 2, 2: 3 }, [4, 9]],
  );
});

Deno.test("institutions take two of seven replicas", () => {
  const archives = [1, 2, 3, 4].map((d) => peer(d, { institutional: true }));
  const families = [5, 6, 7, 8, 9].map((d) => peer(d));
  const [assigned, spare] = placed(7, [...archives, ...families]);
  assertEquals(Object.values(assigned), [1, 2, 5, 6, 7, 8, 9]);
  assertEquals(spare, []);
});

Deno.test("better reciprocity goes before nearness", () => {
  const [assigned] = placed(3, [
    peer(1, { reciprocity: -1 }),
    peer(2),
    peer(3, { reciprocity: 1 }),
  ]);
  assertEquals(assigned, { 0: 3, 1: 2, 2: 1 });
});

Deno.test("who holds fragments already gets no more and counts towards the limits", () => {
  const holders = [
    peer(1, { subnet: "full" }),
    peer(2, { subnet: "full", institutional: true }),
    peer(3, { institutional: true }),
  ];
  const candidates = [
    ...holders,
    peer(4, { subnet: "full" }),
    peer(5, { institutional: true }),
    peer(6),
  ];
  assertEquals(placed(2, candidates, { holders }), [{ 0: 6, 1: 6 }, []]);
});

Deno.test("when peers are scarce an institution yields to an ordinary peer of its subnet", () => {
  const candidates = [
    peer(1, { subnet: "shared", institutional: true }),
    peer(2, { subnet: "shared" }),
    peer(3, { institutional: true }),
  ];
  const options = { subnetLimit: 1, replicationFactor: 3 };
  assertEquals(placed(2, candidates, options), [{ 0: 2, 1: 3 }, []]);
});

Deno.test("nobody to ask, nothing to place, and the same twice", () => {
  assertEquals(placed(2, []), [{}, []]);
  assertEquals(placed(0, [peer(1)]), [{}, [1]]);
  const twice = place([4, 4], [peer(1), peer(1), peer(2)], { key: KEY });
  assertEquals([...twice.assignments.keys()], [4]);
  assertEquals(twice.spare.map(distanceOf), [2]);
});

const anyCandidates = fc.uniqueArray(
  fc.record({
    distance: fc.integer({ min: 1, max: 1_000 }),
    subnet: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    institutional: fc.boolean(),
    reciprocity: fc.integer({ min: -1, max: 1 }),
  }),
  { selector: ({ distance }) => distance, maxLength: 30, size: "max" },
).map((made) => made.map(({ distance, ...rest }) => peer(distance, rest)));

/** The most peers the limits allow: ordinary ones fill subnets, institutions what is left of them. */
function peersPossible(
  candidates: readonly Made[],
  subnetLimit: number,
  institutionalMax: number,
): number {
  const subnets = new Set(candidates.map(({ contact }) => contact.subnet));
  let ordinary = 0, institutional = 0;
  for (const subnet of subnets) {
    const here = candidates.filter(({ contact }) => contact.subnet === subnet);
    const families = here.filter((c) => !c.institutional).length;
    const taken = Math.min(subnetLimit, families);
    ordinary += taken;
    institutional += Math.min(subnetLimit - taken, here.length - families);
  }
  return ordinary + Math.min(institutionalMax, institutional);
}

Deno.test("limits hold over assigned and spare together, shares are even, and no possible peer is left out", () => {
  fc.assert(
    fc.property(
      anyCandidates,
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 14 }),
      (candidates, wanted, subnetLimit, replicationFactor) => {
        const options = { key: KEY, subnetLimit, replicationFactor };
        const { assignments, spare } = place(
          indices(wanted),
          candidates,
          options,
        );
        const institutionalMax = Math.ceil(replicationFactor / 3.5);
        const shares = new Map<Contact, number>();
        for (const to of assignments.values()) {
          shares.set(to, (shares.get(to) ?? 0) + 1);
        }
        const used = new Set([...shares.keys(), ...spare]);
        assertEquals(used.size, shares.size + spare.length);
        const usedOf = (test: (made: Made) => boolean) =>
          candidates.filter((made) => used.has(made.contact) && test(made))
            .length;
        for (const subnet of "abcdef") {
          const here = usedOf(({ contact }) => contact.subnet === subnet);
          assertTrue(here <= subnetLimit, `${here} in ${subnet}`);
        }
        assertTrue(usedOf((c) => c.institutional === true) <= institutionalMax);
        const possible = peersPossible(
          candidates,
          subnetLimit,
          institutionalMax,
        );
        assertEquals(shares.size, Math.min(wanted, possible));
        assertEquals(assignments.size, possible === 0 ? 0 : wanted);
        const counts = [...shares.values()];
        assertTrue(Math.max(0, ...counts) - Math.min(...counts) <= 1);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("the order in which candidates come changes nothing", () => {
  fc.assert(fc.property(anyCandidates, fc.nat(), (candidates, seed) => {
    const mixed = shuffled(candidates, new SeededRandom(seed));
    assertEquals(placed(8, mixed), placed(8, candidates));
  }));
});

Deno.test("without limits the peers are the best ranked", () => {
  fc.assert(fc.property(anyCandidates, (candidates) => {
    const options = {
      key: KEY,
      subnetLimit: undefined,
      replicationFactor: 1_000,
    };
    const { assignments } = place(indices(5), candidates, options);
    const best = candidates.toSorted((a, b) =>
      (b.reciprocity ?? 0) - (a.reciprocity ?? 0) ||
      closer(KEY, a.contact.id, b.contact.id)
    ).slice(0, 5);
    assertEquals(
      [...new Set(assignments.values())].map(({ id }) => keyOf(id)),
      best.map(({ contact }) => keyOf(contact.id)),
    );
  }));
});
