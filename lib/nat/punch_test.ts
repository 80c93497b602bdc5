import fc from "fast-check";
import {
  PUNCH_ATTEMPTS_MS,
  PUNCH_TIMEOUT_MS,
  PUNCH_WAIT_MAX_MS,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { askerWaitMs, Punch, targetWaitMs } from "./punch.ts";

/** Everything a punch does, by a clock that is looked at when it says so. */
function played(withRelay: boolean): string[] {
  const punch = new Punch(1_000, withRelay);
  const done: string[] = [];
  for (let nowMs = 1_000;;) {
    const step = punch.next(nowMs);
    if (step.do === "wait") {
      assertTrue(step.ms > 0, "a wait is no spin");
      nowMs += step.ms;
      continue;
    }
    done.push(`${step.do}@${nowMs - 1_000}`);
    if (step.do === "giveUp") return done;
  }
}

Deno.test("sends at 0, 300 and 900 ms, asks a relay once after 1.5 s and gives up at last", () => {
  const end = `giveUp@${900 + PUNCH_TIMEOUT_MS}`;
  assertEquals(played(true), [
    "dial@0",
    "dial@300",
    "dial@900",
    "relay@1500",
    end,
  ]);
  assertEquals(played(false), ["dial@0", "dial@300", "dial@900", end]);
});

Deno.test("waits for the agreed moment and does not make up for attempts that were missed", () => {
  const punch = new Punch(1_000, true);
  assertEquals(punch.next(600), { do: "wait", ms: 400 });
  assertEquals(punch.next(1_950), { do: "dial", attempt: 2 });
  assertEquals(punch.next(1_950), { do: "wait", ms: 550 });
  assertEquals(punch.next(90_000).do, "relay");
  assertEquals(punch.next(90_000).do, "giveUp");
});

Deno.test("at whatever moments a punch is asked, it dials at most three times and asks one relay", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2_000 })), (pauses) => {
      const punch = new Punch(0, true);
      let nowMs = 0;
      const seen: string[] = [];
      for (const pause of pauses) seen.push(punch.next(nowMs += pause).do);
      assertTrue(
        seen.filter((what) => what === "dial").length <=
          PUNCH_ATTEMPTS_MS.length,
      );
      assertTrue(seen.filter((what) => what === "relay").length <= 1);
      assertTrue(punch.attemptCount <= PUNCH_ATTEMPTS_MS.length);
    }),
  );
});

Deno.test("both sides begin within a fraction of the way between them, however far either is from the introducer", () => {
  const rtt = fc.double({ min: 0.2, max: 800, noNaN: true });
  const drift = fc.double({ min: 0.9, max: 1.1, noNaN: true });
  fc.assert(fc.property(rtt, rtt, drift, (askerRttMs, estimateMs, factor) => {
    // The target answers faster or slower than it did when it was measured.
    const targetTookMs = estimateMs * factor;
    const waitMs = targetWaitMs(askerRttMs, estimateMs);
    const targetBeginsMs = targetTookMs / 2 + waitMs;
    const heardMs = targetTookMs + askerRttMs / 2;
    const askerBeginsMs = heardMs +
      askerWaitMs({ askerRttMs, targetTookMs, targetWaitMs: waitMs });
    assertTrue(
      Math.abs(askerBeginsMs - targetBeginsMs) <= 2,
      `skew of ${askerBeginsMs - targetBeginsMs} ms`,
    );
  }));
});

Deno.test("no round trip, however absurd, makes anybody wait for ever or for less than nothing", () => {
  const absurd = [NaN, Infinity, -Infinity, -5, 0, 1e12];
  for (const one of absurd) {
    for (const other of absurd) {
      const waitMs = targetWaitMs(one, other);
      const wait = askerWaitMs({
        askerRttMs: one,
        targetTookMs: other,
        targetWaitMs: waitMs,
      });
      for (const ms of [waitMs, wait]) {
        assertTrue(
          Number.isInteger(ms) && ms >= 0 && ms <= PUNCH_WAIT_MAX_MS,
          `${ms}`,
        );
      }
    }
  }
});
