// Three rounds of what `deno task endure:sim` plays hundreds of: about seven seconds.
import { assertEquals, assertTrue } from "@tesseras/testing";
import { endure } from "./endurance.ts";

Deno.test("half of what is tolerated goes three times, and a newcomer fetches what nobody has who had it first", async () => {
  const tesseras = { copies: 1, medium: 1, large: 0 };
  const endured = await endure(
    { seed: 1, tesseras, stores: 9, rounds: 3 },
    () => {},
  );
  assertEquals(endured.verifiedTesseras, 2);
  assertTrue(endured.removed >= 3, `${endured.removed} were removed`);
  // What repair leaves for later may be missing beside what goes: none of 7 copies, two of 24 fragments.
  const { copies = 0, medium = 0 } = endured.worstMargin;
  assertTrue(copies >= 3, `copies came down to ${copies}`);
  assertTrue(medium >= 2, `fragments came down to ${medium}`);
  assertTrue(endured.placedFragments <= 1.2 * endured.lostFragments + 2);
  assertTrue(endured.movedPerLostByte < 8, `${endured.movedPerLostByte}`);
  assertTrue(endured.expansion <= 1.6, `${endured.expansion}`);
});
