import fc from "fast-check";
import { RELAY_AFTER_MS } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { NAT_KINDS } from "./kind.ts";
import { ladder, type Prospects } from "./ladder.ts";

const ALL: Prospects = {
  own: "cone",
  peer: "cone",
  hasAddress: false,
  sameNetwork: false,
  hasIntroducer: true,
  hasRelay: true,
};

function rungs(prospects: Partial<Prospects>): string {
  return ladder({ ...ALL, ...prospects })
    .map(({ rung, afterMs }) => `${rung}@${afterMs}`).join(" ");
}

Deno.test("goes up the ladder that the kinds of both sides leave", () => {
  const after = `relay@${RELAY_AFTER_MS}`;
  assertEquals(rungs({}), `punch@0 ${after}`);
  assertEquals(
    rungs({ peer: "public", hasAddress: true }),
    `direct@0 ${after}`,
  );
  assertEquals(rungs({ peer: "public" }), `punch@0 ${after}`);
  assertEquals(rungs({ hasAddress: true }), `direct@0 punch@0 ${after}`);
  assertEquals(rungs({ own: "symmetric" }), `punch@0 ${after}`);
  assertEquals(rungs({ own: "unknown", peer: "unknown" }), `punch@0 ${after}`);
  assertEquals(rungs({ own: "public", peer: "symmetric" }), `punch@0 ${after}`);
});

Deno.test("goes straight to the relay when both are symmetric, and says why", () => {
  const both = { ...ALL, own: "symmetric", peer: "symmetric" } as const;
  assertEquals(ladder(both), [
    { rung: "relay", reason: "both are symmetric", afterMs: 0 },
  ]);
  assertEquals(rungs({ ...both, hasAddress: true }), "relay@0");
  assertEquals(ladder({ ...both, hasRelay: false }), []);
  const [first] = ladder({ ...both, sameNetwork: true });
  assertEquals([first?.rung, first?.reason], ["punch", "same network"]);
});

Deno.test("has no way to a peer that nobody can introduce and nobody can dial", () => {
  assertEquals(rungs({ hasIntroducer: false }), "");
  assertEquals(rungs({ hasIntroducer: false, hasAddress: true }), "direct@0");
});

Deno.test("every ladder climbs: each rung once, cheapest first, the first at once, a relay only where it can be heard of", () => {
  const kind = fc.constantFrom(...NAT_KINDS);
  fc.assert(fc.property(
    fc.record({
      own: kind,
      peer: kind,
      hasAddress: fc.boolean(),
      sameNetwork: fc.boolean(),
      hasIntroducer: fc.boolean(),
      hasRelay: fc.boolean(),
    }),
    (prospects) => {
      const steps = ladder(prospects);
      const order = steps.map(({ rung }) =>
        ["direct", "punch", "relay"].indexOf(rung)
      );
      assertEquals(order, [...new Set(order)].sort());
      assertTrue(steps.length === 0 || steps[0]!.afterMs === 0);
      const hasRelay = steps.some(({ rung }) => rung === "relay");
      assertEquals(hasRelay, prospects.hasRelay && prospects.hasIntroducer);
    },
  ));
});
