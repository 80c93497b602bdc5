import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import {
  Counters,
  RecordingLog,
  SeededRandom,
  TesserasError,
  VirtualClock,
} from "@tesseras/core";
import { Archive } from "@tesseras/archive";
import { MemoryBlobs } from "@tesseras/blobs";
import { nobleMlDsa } from "@tesseras/crypto";
import { MemoryState } from "@tesseras/state";
import { sweepForever } from "./sweeping.ts";

Deno.test("sweeps soon and four times a day, goes on after a failure, and stops when told", async () => {
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
  // After 1, 7, 13 and 19 hours.
  assertEquals(rounds, 4);
  assertEquals(counters.get("sweep.removed"), 6);
  assertEquals(counters.get("sweep.failed"), 1);
  assertEquals(log.events.filter(({ level }) => level === "warn").length, 1);
  stop.abort();
  await ended;
});

Deno.test("what nobody needs is gone an hour after it was found, and not before", async () => {
  const clock = new VirtualClock();
  const counters = new Counters();
  const runtime = {
    clock,
    counters,
    log: new RecordingLog(),
    random: new SeededRandom(1),
  };
  const blobs = new MemoryBlobs();
  const state = new MemoryState();
  const archive = new Archive({ blobs, state, suite: nobleMlDsa, runtime });
  const stop = new AbortController();
  const ended = assertRejectsCode(
    sweepForever(archive, runtime, stop.signal),
    "cancelled",
  );
  await using writer = await blobs.create(stop.signal);
  await writer.write(Uint8Array.of(1, 2, 3), stop.signal);
  const { hash } = await writer.commit(stop.signal);
  const isThere = async () => await blobs.size(hash, stop.signal) !== undefined;
  await clock.advance(2 * 3_600_000 - 1);
  assertEquals(await isThere(), true);
  await clock.advance(2);
  assertEquals(await isThere(), false);
  assertEquals(counters.get("sweep.removed"), 1);
  stop.abort();
  await ended;
});
