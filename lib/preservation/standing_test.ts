import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  type Observation,
  observe,
  PATIENCE_DEFAULTS,
  presenceOf,
  PROOF_FRESH_MS,
  RETRY_UNPROVED_MS,
  type Standing,
} from "./standing.ts";

const HOUR_MS = 3_600_000;
const { graceMs } = PATIENCE_DEFAULTS;

/** What is known after a silence in which somebody asked every so often. */
function silent(hours: number, everyHours: number): Standing {
  let standing = observe(undefined, "proved", 0);
  for (let hour = 0; hour <= hours; hour += everyHours) {
    standing = observe(standing, "unanswered", hour * HOUR_MS);
  }
  return standing;
}

function presence(standing: Standing, hours: number): string {
  return presenceOf(standing, hours * HOUR_MS, { graceMs });
}

Deno.test("a laptop that is off for a night is taken for there", () => {
  assertEquals(presence(silent(10, 2), 10), "presumed");
});

Deno.test("36 h of silence with tries in between make a holder gone, an hour less does not", () => {
  assertEquals(presence(silent(36, 6), 36), "gone");
  assertEquals(presence(silent(35, 5), 35), "presumed");
});

Deno.test("nobody is gone who was hardly asked, however long ago", () => {
  assertEquals(presence(silent(0, 1), 1_000), "presumed");
  assertEquals(presence(silent(36, 18), 36), "presumed");
});

Deno.test("a burst of tries counts once", () => {
  let standing = observe(undefined, "unanswered", 0);
  for (let ms = 0; ms < HOUR_MS; ms += 1_000) {
    standing = observe(standing, "unanswered", ms);
  }
  assertTrue(standing.is === "unproved" && standing.tryCount === 1);
});

Deno.test("a clock that jumps condemns nobody", () => {
  const year = 365 * 24 * HOUR_MS;
  const forward = observe(
    observe(undefined, "unanswered", 0),
    "unanswered",
    year,
  );
  assertEquals(presenceOf(forward, year, { graceMs }), "presumed");
  let back = silent(30, 6);
  back = observe(back, "unanswered", -year);
  assertEquals(presenceOf(back, -year + HOUR_MS, { graceMs }), "presumed");
});

Deno.test("a claim that was never proved counts with a newcomer alone", () => {
  const claims: Standing[] = [
    { is: "reported", atMs: 0 },
    observe(undefined, "unanswered", 0),
    observe({ is: "reported", atMs: 0 }, "pinged", 0),
    observe(observe(undefined, "unanswered", 0), "unanswered", 2 * HOUR_MS),
  ];
  for (const claim of claims) {
    assertEquals(presence(claim, 3), "presumed");
    const long = { graceMs, isNewcomer: false };
    assertEquals(presenceOf(claim, 3 * HOUR_MS, long), "gone");
    const proved = observe(claim, "proved", 3 * HOUR_MS);
    assertEquals(presenceOf(proved, 3 * HOUR_MS, long), "proved");
    const asleep = observe(proved, "unanswered", 4 * HOUR_MS);
    assertEquals(presenceOf(asleep, 5 * HOUR_MS, long), "presumed");
  }
});

Deno.test("who answers pings and proves nothing three times is gone, well before the grace", () => {
  let standing = observe(undefined, "pinged", 0);
  standing = observe(standing, "pinged", 2 * HOUR_MS);
  assertEquals(presence(standing, 2), "presumed");
  standing = observe(standing, "pinged", 4 * HOUR_MS);
  assertEquals(presence(standing, 4), "gone");
});

Deno.test("silence between evasions does not make them forgotten, a proof does", () => {
  let standing = observe(undefined, "pinged", 0);
  standing = observe(standing, "unanswered", 2 * HOUR_MS);
  standing = observe(standing, "pinged", 4 * HOUR_MS);
  standing = observe(standing, "pinged", 6 * HOUR_MS);
  assertEquals(presence(standing, 6), "gone");
  standing = observe(standing, "proved", 7 * HOUR_MS);
  assertEquals(presence(standing, 7), "proved");
});

Deno.test("what a holder says of itself counts at once, and may be taken back", () => {
  for (const said of ["saidLost", "leaving"] as const) {
    const standing = observe(observe(undefined, "proved", 0), said, 1);
    assertTrue(presence(standing, 0) !== "presumed");
    assertEquals(
      presence(observe(standing, "unanswered", 2), 0),
      "gone" === presence(standing, 0) ? "gone" : "lost",
    );
    assertEquals(presence(observe(standing, "proved", 2), 0), "proved");
  }
});

Deno.test("a failed audit is forgiven by storing again, not by a better answer", () => {
  const failed = observe(observe(undefined, "proved", 0), "failedAudit", 1);
  for (const seen of ["proved", "pinged", "unanswered"] as const) {
    assertEquals(presence(observe(failed, seen, 2), 0), "lost", seen);
  }
  assertEquals(presence(observe(failed, "leaving", 2), 0), "lost");
  assertEquals(presence(observe(failed, "stored", 2), 0), "proved");
});

Deno.test("an old proof counts as a presumption", () => {
  const standing = observe(undefined, "proved", 0);
  assertEquals(presenceOf(standing, PROOF_FRESH_MS, { graceMs }), "proved");
  assertEquals(
    presenceOf(standing, PROOF_FRESH_MS + 1, { graceMs }),
    "presumed",
  );
});

Deno.test("a shorter grace needs fewer tries, but never one alone", () => {
  const alarm = PATIENCE_DEFAULTS.alarmGraceMs;
  const presenceAt = (standing: Standing, hours: number) =>
    presenceOf(standing, hours * HOUR_MS, { graceMs: alarm });
  assertEquals(presenceAt(silent(12, 6), 12), "gone");
  assertEquals(presenceAt(silent(0, 6), 12), "presumed");
});

Deno.test("asked as often as we ask, the grace is what decides", () => {
  const tries = graceMs / RETRY_UNPROVED_MS;
  assertTrue(tries >= PATIENCE_DEFAULTS.triesMin);
});

Deno.test("nobody is ever gone by silence alone sooner than the grace", () => {
  const steps = fc.array(
    fc.tuple(
      fc.constantFrom<Observation>("proved", "unanswered", "stored"),
      fc.integer({ min: -2 * 24 * HOUR_MS, max: 40 * HOUR_MS }),
    ),
    { maxLength: 30 },
  );
  fc.assert(fc.property(steps, (list) => {
    let nowMs = 1e12, since = nowMs;
    let standing = observe(undefined, "proved", nowMs);
    for (const [seen, ms] of list) {
      // A clock set back is the beginning of a new silence.
      if (ms < 0) since = nowMs + ms;
      nowMs += ms;
      if (seen !== "unanswered") since = nowMs;
      standing = observe(standing, seen, nowMs);
      const gone = presenceOf(standing, nowMs, { graceMs }) === "gone";
      assertTrue(!gone || nowMs - since >= graceMs);
    }
  }));
});

Deno.test("a word renews what was proved, and makes nothing of what was not", () => {
  const is = (standing: Standing): string => standing.is;
  const proved = observe(undefined, "proved", 5);
  assertEquals(observe(proved, "claimed", 9), {
    is: "attested",
    atMs: 9,
    sinceMs: 5,
  });
  const reported = observe(undefined, "claimed", 5);
  assertEquals(reported, { is: "reported", atMs: 5 });
  assertEquals(observe(reported, "claimed", 9), reported);
  assertEquals(is(observe(reported, "proved", 9)), "attested");
  const asleep = observe(proved, "unanswered", 9);
  assertEquals(observe(asleep, "claimed", 12), {
    is: "attested",
    atMs: 12,
    sinceMs: 12,
  });
  const evading = observe(proved, "pinged", 9);
  assertEquals(observe(evading, "claimed", 12), evading);
  const unknown = observe(reported, "unanswered", 9);
  assertEquals(is(observe(unknown, "claimed", 12)), "reported");
  const lost = observe(proved, "saidLost", 9);
  assertEquals(is(observe(lost, "claimed", 12)), "reported");
  const liar = observe(proved, "failedAudit", 9);
  assertEquals(observe(liar, "claimed", 12), liar);
});

Deno.test("however often a name that proves nothing gives its word, it counts for nobody but a newcomer", () => {
  const seen = fc.constantFrom<Observation>("claimed", "unanswered", "pinged");
  fc.assert(
    fc.property(fc.array(seen, { minLength: 1, maxLength: 40 }), (history) => {
      let standing: Standing | undefined;
      for (const [at, what] of history.entries()) {
        standing = observe(standing, what, at * 2 * HOUR_MS);
      }
      const nowMs = 2 * HOUR_MS * history.length;
      const counts = presenceOf(standing!, nowMs, {
        graceMs,
        isNewcomer: false,
      });
      assertEquals(counts, "gone");
    }),
  );
});
