import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import {
  Counters,
  RecordingLog,
  SeededRandom,
  TesserasError,
  VirtualClock,
} from "@tesseras/core";
import { sweepForever } from "./sweeping.ts";

Deno.test("sweeps four times a day, goes on after a failure, and stops when told", async () => {
  const clock = new VirtualClock();
  const counters = new Counters();
  const log = new RecordingLog();
  const stop = new AbortController();
  let rounds = 0;
  const archive = {
    sweep(graceMs: number) {
      assertEquals(graceMs, 3_600_000);
      rounds++;
      return rounds === 2
        ? Promise.reject(new TesserasError("corrupt", "Cannot read the disk"))
        : Promise.resolve({ waitingCount: 0, removedCount: 2 });
    },
  };
  const runtime = { clock, counters, log, random: new SeededRandom(1) };
  const running = sweepForever(archive, runtime, stop.signal);
  const ended = assertRejectsCode(running, "cancelled");
  await clock.advance(24 * 3_600_000);
  assertEquals(rounds, 4);
  assertEquals(counters.get("sweep.removed"), 6);
  assertEquals(counters.get("sweep.failed"), 1);
  assertEquals(log.events.filter(({ level }) => level === "warn").length, 1);
  stop.abort();
  await ended;
});
