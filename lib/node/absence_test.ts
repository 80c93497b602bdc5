import { assertEquals } from "@tesseras/testing";
import { utf8, VirtualClock } from "@tesseras/core";
import { MemoryState } from "@tesseras/state";
import { notePresence, PRESENCE_MS, returnedMs } from "./absence.ts";

const never = new AbortController().signal;
const GRACE_MS = 4 * 24 * PRESENCE_MS;

Deno.test("a node knows when it came back from an absence that was too long, and of no other", async () => {
  const clock = new VirtualClock();
  const state = new MemoryState();
  const note = () => notePresence(state, clock, GRACE_MS, never);
  assertEquals(await returnedMs(state, never), 0);
  for (const awayMs of [0, PRESENCE_MS, GRACE_MS]) {
    await clock.advance(awayMs);
    await note();
    assertEquals(await returnedMs(state, never), 0);
  }
  await clock.advance(GRACE_MS + 1);
  await note();
  const backMs = clock.nowMs();
  assertEquals(await returnedMs(state, never), backMs);
  await clock.advance(PRESENCE_MS);
  await note();
  assertEquals(await returnedMs(state, never), backMs);
});

Deno.test("what is written there and cannot be read lets nothing go", async () => {
  const state = new MemoryState();
  const clock = new VirtualClock();
  await notePresence(state, clock, GRACE_MS, never);
  for (const rubbish of ["", "text", "\u0000".repeat(1_000)]) {
    await state.putValue("care.absence", utf8(rubbish), never);
    assertEquals(await returnedMs(state, never), 0);
    await clock.advance(2 * GRACE_MS);
    await notePresence(state, clock, GRACE_MS, never);
    assertEquals(await returnedMs(state, never), 0);
  }
});
