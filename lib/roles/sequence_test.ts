import { assertEquals, assertTrue } from "@tesseras/testing";
import { u64be, VirtualClock } from "@tesseras/core";
import { POINTER_TTL_MS } from "@tesseras/core/limits";
import { MemoryState } from "@tesseras/state";
import { Sequence } from "./sequence.ts";

const never = new AbortController().signal;

Deno.test("numbers only grow, also many in one millisecond and all at once", async () => {
  const sequence = new Sequence(new MemoryState(), new VirtualClock());
  const drawn = await Promise.all(
    Array.from({ length: 50 }, () => sequence.next(never)),
  );
  assertEquals(new Set(drawn).size, 50);
  assertEquals(drawn, drawn.toSorted((a, b) => a - b));
});

Deno.test("a restart with a clock that went back an hour goes on above", async () => {
  const state = new MemoryState();
  const clock = new VirtualClock(1_800_000_000_000);
  const before = new Sequence(state, clock);
  await clock.advance(3_600_000);
  const last = await before.next(never);
  const after = new Sequence(state, new VirtualClock(1_800_000_000_000));
  assertTrue(await after.next(never) > last);
});

Deno.test("a mark farther ahead than a pointer lives does not silence us", async () => {
  const state = new MemoryState();
  const clock = new VirtualClock();
  const ahead = BigInt(clock.nowMs() + POINTER_TTL_MS + 1);
  await state.putValue("provider.sequence", u64be(ahead), never);
  assertEquals(await new Sequence(state, clock).next(never), clock.nowMs());
});

Deno.test("a mark that is none is passed over", async () => {
  const state = new MemoryState();
  const clock = new VirtualClock();
  await state.putValue("provider.sequence", new Uint8Array(3), never);
  assertEquals(await new Sequence(state, clock).next(never), clock.nowMs());
});
