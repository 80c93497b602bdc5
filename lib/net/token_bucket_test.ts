import { VirtualClock } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { TokenBucket, TokenBuckets } from "./token_bucket.ts";

Deno.test("a bucket never lets through more than its burst and its rate", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }),
      async (perSecond, burst, pauses) => {
        const clock = new VirtualClock();
        const bucket = new TokenBucket({ perSecond, burst }, clock);
        let taken = 0;
        for (const pause of pauses) {
          await clock.advance(pause);
          for (let i = 0; i < 5; i++) if (bucket.take()) taken++;
        }
        const allowed = burst + clock.monotonicMs() * perSecond / 1000;
        assertTrue(taken <= allowed + 1e-6, `${taken} of ${allowed}`);
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a bucket fills again at its rate", async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket({ perSecond: 2, burst: 1 }, clock);
  assertEquals([bucket.take(), bucket.take()], [true, false]);
  await clock.advance(499);
  assertEquals(bucket.take(), false);
  await clock.advance(1);
  assertEquals(bucket.take(), true);
});

Deno.test("what costs more than a whole bucket waits for a full one", async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket({ perSecond: 1, burst: 10 }, clock);
  assertTrue(bucket.take(1));
  assertEquals(bucket.take(50), false);
  await clock.advance(1_000);
  assertEquals([bucket.take(50), bucket.take()], [true, false]);
});

Deno.test("a debt is at most a whole bucket", async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket({ perSecond: 1, burst: 10 }, clock);
  for (let i = 0; i < 9; i++) bucket.charge(1_000);
  await clock.advance(10_999);
  assertEquals(bucket.has(), false);
  await clock.advance(1);
  assertEquals(bucket.has(), true);
});

Deno.test("a forgotten sender begins anew, and one that is heard is not forgotten", () => {
  const clock = new VirtualClock();
  const rate = { perSecond: 1, burst: 1, countMax: 2 };
  const buckets = new TokenBuckets(rate, clock);
  assertTrue(buckets.of("a").take());
  for (const other of ["b", "c", "d"]) {
    assertTrue(buckets.of(other).take());
    assertEquals(buckets.of("a").take(), false);
  }
  assertEquals(buckets.size, 2);
  buckets.of("e").take();
  buckets.of("f").take();
  assertTrue(buckets.of("a").take());
});
