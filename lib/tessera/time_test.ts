import fc from "fast-check";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { parseTime, printTime } from "./time.ts";

Deno.test("writes moments as the platform's calendar does, before 1970 too", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
      (seconds) => {
        const text = printTime(seconds * 1_000 + 999);
        const wanted = new Date(seconds * 1_000).toISOString();
        assertEquals(text, wanted.replace(".000Z", "Z"));
        assertEquals(parseTime(text), seconds * 1_000);
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("refuses moments and texts that no calendar has", () => {
  for (const ms of [NaN, Infinity, 253_402_300_800_000, -62_135_596_800_001]) {
    assertThrowsCode(() => printTime(ms), "unusable", /years 1 to 9999/);
  }
  for (
    const text of [
      "2026-02-29T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-00-10T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:60:00Z",
      "2026-01-01T00:00:60Z",
      "2026-01-01T00:00:00",
      "2026-01-01T00:00:00.000Z",
      "2026-01-01 00:00:00Z",
      "0000-01-01T00:00:00Z",
      "",
    ]
  ) assertThrowsCode(() => parseTime(text), "malformed", /Cannot read time/);
});
