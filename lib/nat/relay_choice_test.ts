import fc from "fast-check";
import { SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { chooseRelays, type RelayCandidate } from "./relay_choice.ts";

const NONE: ReadonlySet<string> = new Set();

function relay(
  id: string,
  options: Partial<RelayCandidate> = {},
): RelayCandidate {
  return {
    id,
    subnet: id,
    rttMs: 20,
    freeSlots: 10,
    kilobytesPerSecond: 256,
    ...options,
  };
}

function ids(
  candidates: readonly RelayCandidate[],
  { avoid = NONE, seed = 1, countMax = 9 } = {},
) {
  return chooseRelays(candidates, { avoid, countMax }, new SeededRandom(seed))
    .map(({ id }) => id);
}

Deno.test("asks a near relay before a far one, and one nobody has measured before none", () => {
  const far = relay("far", { rttMs: 250, freeSlots: 50 });
  const unknown = relay("unknown", { rttMs: undefined, freeSlots: 50 });
  for (let seed = 0; seed < 20; seed++) {
    assertEquals(ids([far, unknown, relay("near")], { seed })[0], "near");
  }
  assertEquals(ids([unknown]), ["unknown"]);
});

Deno.test("asks no full relay and none that is to be avoided", () => {
  const full = relay("full", { freeSlots: 0 });
  assertEquals(ids([full]), []);
  assertEquals(
    ids([full, relay("dead"), relay("alive")], { avoid: new Set(["dead"]) }),
    ["alive"],
  );
  assertEquals(ids([]), []);
});

Deno.test("spreads over relays that are as near, by their free slots, and believes no boaster beyond the most there is", () => {
  const counts = new Map<string, number>();
  const random = new SeededRandom(7);
  const relays = [
    relay("small", { freeSlots: 10 }),
    relay("large", { freeSlots: 40 }),
    relay("boaster", { freeSlots: 65_535 }),
  ];
  for (let at = 0; at < 3_000; at++) {
    const [first] = chooseRelays(relays, { avoid: NONE, countMax: 1 }, random);
    counts.set(first!.id, (counts.get(first!.id) ?? 0) + 1);
  }
  for (
    const [id, share] of [["small", 0.1], ["large", 0.4], [
      "boaster",
      0.5,
    ]] as const
  ) {
    assertTrue(
      Math.abs(counts.get(id)! / 3_000 - share) < 0.05,
      `${id} ${counts.get(id)}`,
    );
  }
});

Deno.test("names the next relay of another subnet, and one of the same when there is no other", () => {
  const relays = [
    relay("one", { subnet: "x" }),
    relay("two", { subnet: "x" }),
    relay("far", { subnet: "y", rttMs: 200 }),
  ];
  for (let seed = 0; seed < 20; seed++) {
    const [, second, third] = ids(relays, { seed });
    assertEquals(second, "far");
    assertTrue(third === "one" || third === "two");
  }
});

Deno.test("asks a relay that forwards next to nothing last", () => {
  const slow = relay("slow", { kilobytesPerSecond: 1, rttMs: 1 });
  assertEquals(ids([slow, relay("quick")]), ["quick", "slow"]);
});

Deno.test("names every usable relay once, whatever they claim", () => {
  const rtt = fc.option(fc.double({ min: -10, max: 1e6, noNaN: true }), {
    nil: undefined,
  });
  const candidate = fc.record({
    id: fc.string(),
    subnet: fc.constantFrom("x", "y"),
    rttMs: rtt,
    freeSlots: fc.nat(65_535),
    kilobytesPerSecond: fc.nat(),
  });
  fc.assert(fc.property(
    fc.uniqueArray(candidate, { selector: ({ id }) => id }),
    fc.nat(),
    (candidates, seed) => {
      const usable = candidates.filter(({ freeSlots }) => freeSlots > 0);
      const chosen = ids(candidates, { seed, countMax: 99 });
      assertEquals(chosen.toSorted(), usable.map(({ id }) => id).toSorted());
      assertTrue(ids(candidates, { seed, countMax: 2 }).length <= 2);
    },
  ));
});
