import { REPAIR_INTERVAL_MS, REPAIR_JITTER_MS } from "@tesseras/core/limits";
import {
  PATIENCE_DEFAULTS,
  RETRY_UNPROVED_MS,
  TURN_DEFAULTS,
} from "@tesseras/preservation";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { tempoOf } from "./tempo.ts";

const DAILY = { intervalMs: REPAIR_INTERVAL_MS, jitterMs: REPAIR_JITTER_MS };

Deno.test("who looks every day waits as the network does", () => {
  const tempo = tempoOf(DAILY);
  assertEquals(tempo.pace, DAILY);
  assertEquals(tempo.patience, PATIENCE_DEFAULTS);
  assertEquals(tempo.turns, TURN_DEFAULTS);
  assertEquals(tempo.retryMs, RETRY_UNPROVED_MS);
  assertEquals([tempo.tickMs, tempo.walkMs], [120_000, 3_600_000]);
});

Deno.test("who looks less often forgives nothing longer for it", () => {
  const intervalMs = 7 * REPAIR_INTERVAL_MS;
  const tempo = tempoOf({ ...DAILY, intervalMs });
  assertEquals(tempo.pace.intervalMs, intervalMs);
  assertEquals(tempo.patience, PATIENCE_DEFAULTS);
});

Deno.test("a short day shortens every wait in proportion, turns to a second at least", () => {
  const tempo = tempoOf({ intervalMs: 24_000, jitterMs: 60_000 });
  assertEquals(tempo.pace.jitterMs, 24_000);
  assertEquals(tempo.patience.graceMs, 36_000);
  assertEquals(tempo.retryMs, 6_000);
  assertEquals(tempo.turns.turnBaseMs, 1_000);
  assertTrue(tempo.tickMs >= 100);
});
