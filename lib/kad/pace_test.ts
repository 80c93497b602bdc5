import fc from "fast-check";
import { QUERY_LATE_MIN_MS, QUERY_LATE_MS } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Pace } from "./pace.ts";

function paceOf(times: readonly number[]): Pace {
  const pace = new Pace();
  for (const tookMs of times) pace.answered(tookMs);
  return pace;
}

Deno.test("a pace that knows too little waits as long as it may", () => {
  assertEquals(paceOf([]).lateMs, QUERY_LATE_MS);
  assertEquals(paceOf(Array(15).fill(1)).lateMs, QUERY_LATE_MS);
  assertEquals(paceOf(Array(16).fill(1)).lateMs, QUERY_LATE_MIN_MS);
});

Deno.test("nine of ten answers set the pace, whatever the tenth does", () => {
  const some = Array.from({ length: 64 }, (_, i) => 200 + (i % 8) * 10);
  assertEquals(paceOf(some).lateMs, 1.5 * 270);
  const lied = some.map((tookMs, i) => i % 16 === 0 ? 1e9 : tookMs);
  assertEquals(paceOf(lied).lateMs, 1.5 * 270);
});

Deno.test("a line that got slower is learned from the answers that came since", () => {
  const pace = paceOf(Array(1_000).fill(200));
  assertEquals(pace.lateMs, 300);
  for (let i = 0; i < 128; i++) pace.answered(400);
  assertEquals(pace.lateMs, 600);
});

Deno.test("nothing moves the pace out of its bounds", () => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1e12 })), (times) => {
    const { lateMs } = paceOf(times);
    assertTrue(lateMs >= QUERY_LATE_MIN_MS && lateMs <= QUERY_LATE_MS);
  }));
});
