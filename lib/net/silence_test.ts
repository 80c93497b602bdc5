import {
  DIAL_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  STREAMS_MAX,
} from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { Silence } from "./silence.ts";

/** Our line has not been proven. */
const unproven = -Infinity;

/** A session whose peer has said something. */
function spoken(): Silence {
  const silence = new Silence(0);
  silence.heard(0);
  return silence;
}

Deno.test("nothing is owed when nothing is asked", () => {
  const silence = new Silence(0);
  assertEquals(silence.next(1e9, unproven), { do: "rest" });
  silence.asked(true, 1e9)[Symbol.dispose]();
  assertEquals(silence.next(2e9, unproven), { do: "rest" });
});

Deno.test("a peer that shook hands a moment ago and never said a word is not dialled again", () => {
  const silence = new Silence(0);
  silence.asked(true, 0);
  assertEquals(silence.next(REQUEST_TIMEOUT_MS - 1, unproven).do, "wait");
  assertEquals(silence.next(REQUEST_TIMEOUT_MS, unproven).do, "dial");
});

Deno.test("a question answered from memory is waited for, then the peer is dialled once in a while", () => {
  const silence = spoken();
  silence.asked(true, 100);
  assertEquals(silence.next(100, unproven), { do: "wait", ms: 250 });
  assertEquals(silence.next(1_000, unproven), { do: "wait", ms: 100 });
  assertEquals(silence.next(1_100, unproven), { do: "dial" });
  silence.dialled(1_100);
  for (let ms = 1_100; ms < 1_100 + REQUEST_TIMEOUT_MS; ms += 50) {
    assertEquals(silence.next(ms, unproven).do, "wait");
  }
  assertEquals(silence.next(1_100 + REQUEST_TIMEOUT_MS, unproven), {
    do: "dial",
  });
});

Deno.test("a question that takes work is followed by a ping, ever more rarely while those are answered", () => {
  const silence = spoken();
  using _asked = silence.asked(false, 0);
  const pingedMs: number[] = [];
  for (let ms = 0; ms <= 20_000; ms += 100) {
    const step = silence.next(ms, unproven);
    assertTrue(step.do === "ping" || step.do === "wait", step.do);
    if (step.do !== "ping") continue;
    pingedMs.push(ms);
    silence.pinged(ms);
    silence.asked(true, ms)[Symbol.dispose]();
    silence.heard(ms);
  }
  assertEquals(pingedMs, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500]);
});

Deno.test("whatever is heard is a sign of life, also while a question waits", () => {
  const silence = spoken();
  silence.asked(true, 0);
  silence.heard(900);
  assertEquals(silence.next(1_200, unproven), { do: "wait", ms: 200 });
  assertEquals(silence.next(1_400, unproven), { do: "ping" });
});

Deno.test("a slow line is given more time, and a slow peer no more than some", () => {
  for (
    const [tookMs, patienceMs] of [[50, 1_000], [600, 2_400], [9e9, 4_000]]
  ) {
    const silence = spoken();
    silence.answered(tookMs!);
    silence.asked(true, 0);
    assertEquals(silence.next(patienceMs! - 1, unproven).do, "wait");
    assertEquals(silence.next(patienceMs!, unproven).do, "dial");
    silence.answered(1);
    assertEquals(
      silence.next(1_000, unproven).do,
      "dial",
      "the quickest counts",
    );
  }
});

Deno.test("a session ends when nobody answers a dial either, but only while our own line is proven", () => {
  const silence = spoken();
  silence.asked(true, 100);
  silence.dialled(1_100);
  const endMs = 1_100 + DIAL_TIMEOUT_MS;
  assertEquals(silence.next(endMs, unproven).do, "wait");
  assertEquals(silence.next(endMs, 100).do, "wait", "asked no later than this");
  assertEquals(silence.next(endMs - 1, 101).do, "wait");
  assertEquals(silence.next(endMs, 101), { do: "end" });
});

Deno.test("whatever happens, waits are positive and dials are rare", () => {
  const event = fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    what: fc.constantFrom("quick", "slow", "heard", "answered", "over"),
  });
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const silence = spoken();
    const asked: Disposable[] = [];
    let [nowMs, dialledMs] = [0, -Infinity];
    for (const { afterMs, what } of events) {
      nowMs += afterMs;
      if (what === "heard") silence.heard(nowMs);
      else if (what === "answered") silence.answered(afterMs);
      else if (what === "over") asked.pop()?.[Symbol.dispose]();
      else if (asked.length < STREAMS_MAX) {
        asked.push(silence.asked(what === "quick", nowMs));
      }
      const step = silence.next(nowMs, unproven);
      assertEquals(step.do === "rest", asked.length === 0);
      if (step.do === "wait") assertTrue(step.ms > 0 && step.ms <= 1_000);
      if (step.do === "ping") silence.pinged(nowMs);
      if (step.do !== "dial") continue;
      assertTrue(nowMs - dialledMs >= REQUEST_TIMEOUT_MS);
      silence.dialled(nowMs);
      dialledMs = nowMs;
    }
  }));
});
