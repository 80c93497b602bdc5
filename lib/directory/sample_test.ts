import { assertEquals, assertTrue } from "@tesseras/testing";
import * as fc from "fast-check";
import { SeededRandom } from "@tesseras/core";
import { type Candidate, sample } from "./sample.ts";

const same = (one: Candidate): Candidate => one;

const candidates = fc.array(
  fc.record({
    subnet: fc.option(fc.constantFrom("a", "b", "c", "d", "e"), {
      nil: undefined,
    }),
    offer: fc.constantFrom("dht", "store", "dht,store"),
    ageMs: fc.nat({ max: 7_200_000 }),
  }),
  { maxLength: 60 },
);

Deno.test("a sample is as large as the rules allow, and never holds anybody twice", () => {
  fc.assert(fc.property(
    candidates,
    fc.nat({ max: 30 }),
    fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    fc.nat(),
    (items, count, perSubnetMax, seed) => {
      const rules = { count, perSubnetMax };
      const chosen = sample(items, same, rules, new SeededRandom(seed));
      assertEquals(new Set(chosen).size, chosen.length);
      const perSubnet = new Map<string, number>();
      let possible = 0;
      for (const { subnet } of items) {
        const taken = subnet === undefined ? 0 : perSubnet.get(subnet) ?? 0;
        if (taken >= (perSubnetMax ?? Infinity)) continue;
        if (subnet !== undefined) perSubnet.set(subnet, taken + 1);
        possible++;
      }
      assertEquals(chosen.length, Math.min(count, possible));
      for (const [subnet, max] of perSubnet) {
        const taken = chosen.filter((one) => one.subnet === subnet).length;
        assertTrue(taken <= max);
      }
    },
  ));
});

Deno.test("of one kind the freshest come first, and chance decides among the equally fresh", () => {
  const minute = 60_000;
  const old = Array.from({ length: 50 }, (_, n) => ({
    subnet: `old ${n}`,
    offer: "dht",
    ageMs: 45 * minute,
  }));
  const fresh = Array.from({ length: 50 }, (_, n) => ({
    subnet: `fresh ${n}`,
    offer: "dht",
    ageMs: n * 1_000,
  }));
  const rules = { count: 20, perSubnetMax: 2 };
  const all = [...old, ...fresh];
  const first = sample(all, same, rules, new SeededRandom(1));
  const second = sample(all, same, rules, new SeededRandom(2));
  assertTrue([...first, ...second].every((one) => fresh.includes(one)));
  const both = first.filter((one) => second.includes(one)).length;
  assertTrue(both < 18, `${both} of 20 were chosen twice`);
});

Deno.test("kinds take turns, so that many of one do not hide the few of another", () => {
  const of = (offer: string, count: number) =>
    Array.from({ length: count }, (_, n) => ({
      subnet: `${offer} ${n}`,
      offer,
      ageMs: 0,
    }));
  const chosen = sample(
    [...of("store", 500), ...of("dht", 3), ...of("relay", 1)],
    same,
    { count: 9, perSubnetMax: 2 },
    new SeededRandom(3),
  );
  const countOf = (offer: string) =>
    chosen.filter((one) => one.offer === offer).length;
  assertEquals([countOf("store"), countOf("dht"), countOf("relay")], [5, 3, 1]);
});
