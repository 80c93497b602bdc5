import { type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  dueBetween,
  gridPointMs,
  lookAtMs,
  looksIn,
  OTHERS_LOOK_EVERY_ROUNDS,
  PACE_DEFAULTS,
  phaseMs,
  roundAt,
  roundBeginsMs,
  WATCHERS,
} from "./schedule.ts";

const NOW_MS = 1_800_000_000_000;
const { intervalMs, jitterMs } = PACE_DEFAULTS;
const HOUR_MS = 3_600_000;

function keys(count: number, prefix: readonly number[] = []): NodeId[] {
  const random = new SeededRandom(count);
  return Array.from({ length: count }, () => {
    const bytes = random.bytes(20);
    bytes.set(prefix);
    return nodeId(bytes);
  });
}

Deno.test("the guide's pace is 24 h with 2 h of jitter", () => {
  assertEquals([intervalMs, jitterMs], [24 * HOUR_MS, 2 * HOUR_MS]);
});

Deno.test("every moment is in one round, and rounds follow each other by the interval", () => {
  fc.assert(fc.property(
    fc.uint8Array({ minLength: 20, maxLength: 20 }),
    fc.integer({ min: 0, max: 2 * NOW_MS }),
    (bytes, nowMs) => {
      const key = nodeId(bytes);
      const round = roundAt(key, nowMs);
      assertTrue(roundBeginsMs(key, round) <= nowMs);
      assertTrue(nowMs < roundBeginsMs(key, round + 1));
      const point = gridPointMs(key, nowMs);
      assertTrue(nowMs < point && point <= nowMs + jitterMs);
    },
  ));
});

Deno.test("a look is at most a jitter late, and each node's at a time of its own", () => {
  const random = new SeededRandom(1);
  const [key] = keys(1) as [NodeId];
  const beginsMs = roundBeginsMs(key, 7);
  const looks = Array.from(
    { length: 1_000 },
    () => lookAtMs(key, 7, { random }),
  );
  assertTrue(looks.every((ms) => ms >= beginsMs && ms < beginsMs + jitterMs));
  const early = looks.filter((ms) => ms < beginsMs + jitterMs / 2).length;
  assertTrue(early > 400 && early < 600, `${early} of 1,000 in the first hour`);
});

Deno.test("the keys of one holder, which begin alike, are spread over the day", () => {
  const perHour = new Array<number>(24).fill(0);
  for (const key of keys(24_000, [0xab, 0xcd, 0xef])) {
    perHour[Math.floor(phaseMs(key) / HOUR_MS)]!++;
  }
  assertTrue(
    perHour.every((count) => count > 850 && count < 1_150),
    perHour.join(),
  );
});

Deno.test("a day in any number of pieces, restarts between them, looks at every key once", () => {
  const all = keys(200);
  const random = new SeededRandom(9);
  const cuts = Array.from({ length: 50 }, () => random.below(intervalMs))
    .sort((a, b) => a - b);
  const moments = [0, ...cuts, intervalMs].map((ms) => NOW_MS + ms);
  const seen = moments.slice(1).flatMap((toMs, at) =>
    dueBetween(all, { fromMs: moments[at]!, toMs })
  );
  assertEquals(seen.length, all.length);
  assertEquals(new Set(seen).size, all.length);
  const whole = dueBetween(all, { fromMs: NOW_MS, toMs: NOW_MS + intervalMs });
  assertEquals(seen, [...whole], "in the same order");
});

Deno.test("after a month away every key is due, once, and nothing after a clock set back", () => {
  const all = keys(100);
  const toMs = NOW_MS;
  const late = dueBetween(all, { fromMs: toMs - 30 * intervalMs, toMs });
  assertEquals(new Set(late).size, all.length);
  assertEquals(late.length, all.length);
  assertEquals(dueBetween(all, { fromMs: toMs + intervalMs, toMs }), []);
});

Deno.test("the nearest three look in every round, everybody in one of seven, and somebody farther in each", () => {
  for (let place = 0; place < 72; place++) {
    const rounds = Array.from({ length: 7 }, (_, i) => looksIn(100 + i, place));
    const count = rounds.filter((looks) => looks).length;
    assertEquals(count, place < WATCHERS ? 7 : 1);
  }
  const farther = Array.from(
    { length: OTHERS_LOOK_EVERY_ROUNDS },
    (_, i) => WATCHERS + i,
  );
  assertEquals(farther.filter((place) => looksIn(5, place)).length, 1);
});

Deno.test("shortened for a trial, the pace keeps its promises", () => {
  const pace = { intervalMs: 1_000, jitterMs: 0 };
  for (const key of keys(20)) {
    const point = gridPointMs(key, NOW_MS, pace);
    assertTrue(point > NOW_MS && point <= NOW_MS + 1_000);
    const round = roundAt(key, NOW_MS, pace);
    const random = new SeededRandom(1);
    assertEquals(
      lookAtMs(key, round, { random, pace }),
      roundBeginsMs(key, round, pace),
    );
  }
});
