import { assertEquals } from "@tesseras/testing";
import { Rate } from "./rate.ts";

Deno.test("each caller has a burst, then the rate, and no more after a long pause than the burst", () => {
  let nowMs = 0;
  const rate = new Rate(
    { perSecond: 2, burst: 3, callersMax: 9 },
    () => nowMs,
  );
  const taken = (caller: string): number => {
    let count = 0;
    while (rate.take(caller)) count++;
    return count;
  };
  assertEquals([taken("a"), taken("b"), taken("a")], [3, 3, 0]);
  nowMs += 500;
  assertEquals([taken("a"), taken("a")], [1, 0]);
  nowMs += 3_600_000;
  assertEquals(taken("a"), 3);
});

Deno.test("a flood of callers is not remembered beyond the bound, and forgets the quietest first", () => {
  const rate = new Rate({ perSecond: 1, burst: 1, callersMax: 100 }, () => 0);
  assertEquals([rate.take("known"), rate.take("known")], [true, false]);
  for (let n = 0; n < 10_000; n++) {
    rate.take(`flood ${n}`);
    if (n % 50 === 0) assertEquals(rate.take("known"), false);
  }
  assertEquals(rate.callerCount, 100);
});
