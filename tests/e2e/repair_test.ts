// Fifteen processes on a short day, their owner and all that may go killed, twice: more than a minute.
import { SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { endure } from "./endurance.ts";

Deno.test("holders repair without the owner, and a newcomer fetches every byte from those who came after", async () => {
  const { signal } = new AbortController();
  const endured = await endure(
    {
      tesseras: { copies: 1, medium: 1, large: 0 },
      stores: 12,
      waves: 2,
      // All that may go: more than half, so that nobody waits for holidays to end.
      share: 1,
      intervalSeconds: 10,
    },
    new SeededRandom(1),
    () => {},
    signal,
  );
  const { waves, fetchedTesseras, comparedBytes, publishedBytes } = endured;
  assertEquals(fetchedTesseras, 2);
  assertTrue(comparedBytes > 0.9 * publishedBytes);
  for (
    const { removed, lost, placedFragments, lostBytes, sentBytes } of waves
  ) {
    assertTrue(removed.length >= 3, `${removed.length} were removed`);
    const [, medium = 0] = lost.medium ?? [];
    assertTrue(medium >= 6 && medium <= 8, `${medium} of 24 fragments lost`);
    assertTrue(placedFragments >= medium, "they were made anew");
    assertTrue(sentBytes <= 3 * lostBytes, "no flood");
  }
});
