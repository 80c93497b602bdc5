import fc from "fast-check";
import { SeededRandom } from "@tesseras/core";
import {
  DIAL_FAILURES_MAX,
  PUNCH_RETRY_MAX_MS,
  PUNCH_RETRY_MS,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { PunchRetries } from "./retry.ts";

Deno.test("pauses double from half a minute to a quarter of an hour, each by half at random", () => {
  fc.assert(fc.property(fc.nat(), (seed) => {
    const retries = new PunchRetries(new SeededRandom(seed));
    for (let times = 0; times < 40; times++) {
      const pauseMs = retries.failed("peer", 1_000) - 1_000;
      const wholeMs = Math.min(PUNCH_RETRY_MAX_MS, PUNCH_RETRY_MS * 2 ** times);
      assertTrue(pauseMs >= wholeMs / 2 && pauseMs < wholeMs, `${pauseMs}`);
    }
  }));
});

Deno.test("a pair is due after its pause, at once when somebody moved, and never again when it is direct", () => {
  const retries = new PunchRetries(new SeededRandom(1));
  assertTrue(retries.isDue("a", 0));
  const dueMs = retries.failed("a", 0);
  retries.failed("b", 0);
  assertTrue(!retries.isDue("a", dueMs - 1) && retries.isDue("a", dueMs));
  retries.moved("b", 1);
  assertEquals(retries.due(1), ["b"]);
  retries.movedSelf(2);
  assertEquals(retries.due(2), ["a", "b"]);
  assertTrue(retries.failed("a", 2) - 2 < PUNCH_RETRY_MS, "short again");
  retries.forget("a");
  assertEquals(retries.due(Infinity), ["b"]);
  retries.moved("stranger", 3);
  assertEquals(retries.size, 1);
});

Deno.test("remembers a bounded number of pairs", () => {
  const retries = new PunchRetries(new SeededRandom(1));
  for (let at = 0; at <= DIAL_FAILURES_MAX; at++) retries.failed(`${at}`, 0);
  assertEquals(retries.size, DIAL_FAILURES_MAX);
  assertTrue(retries.isDue("0", 0) && !retries.isDue("1", 0));
});
