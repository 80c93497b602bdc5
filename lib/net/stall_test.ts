import { codeOf, VirtualClock } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { StallWatch } from "./stall.ts";

const never = new AbortController().signal;

Deno.test("a step that takes too long aborts with timeout, exactly then", async () => {
  const clock = new VirtualClock();
  using watch = new StallWatch(clock, never);
  watch.begin(1000);
  await clock.advance(999);
  assertTrue(!watch.signal.aborted);
  await clock.advance(1);
  assertEquals(codeOf(watch.signal.reason), "timeout");
});

Deno.test("each step has its own time, however many there are, and one alarm serves all", async () => {
  const clock = new VirtualClock();
  using watch = new StallWatch(clock, never);
  for (let step = 0; step < 50; step++) {
    watch.begin(1000);
    await clock.advance(900);
    assertTrue(clock.timerCount <= 1);
  }
  assertTrue(!watch.signal.aborted);
  await clock.advance(100);
  assertTrue(watch.signal.aborted);
});

Deno.test("time between steps is not the peer's", async () => {
  const clock = new VirtualClock();
  using watch = new StallWatch(clock, never);
  watch.begin(1000);
  watch.end();
  await clock.advance(60_000);
  watch.begin(1000);
  await clock.advance(999);
  assertTrue(!watch.signal.aborted);
  await clock.advance(1);
  assertTrue(watch.signal.aborted);
});

Deno.test("a step with less time than the one before is held to it", async () => {
  const clock = new VirtualClock();
  using watch = new StallWatch(clock, never);
  watch.begin(1000);
  watch.begin(10);
  await clock.advance(10);
  assertTrue(watch.signal.aborted);
});

Deno.test("aborts with its parent's reason, at once when that was aborted before", async () => {
  const clock = new VirtualClock();
  using deadline = clock.deadline(5, never);
  using watch = new StallWatch(clock, deadline.signal);
  watch.begin(1000);
  await clock.advance(5);
  assertEquals(watch.signal.reason, deadline.signal.reason);
  using late = new StallWatch(clock, deadline.signal);
  assertEquals(late.signal.reason, deadline.signal.reason);
});

Deno.test("leaves no alarm behind", async () => {
  const clock = new VirtualClock();
  const watch = new StallWatch(clock, never);
  watch.begin(1000);
  watch[Symbol.dispose]();
  await clock.advance(5000);
  assertTrue(!watch.signal.aborted);
});
