import { assertEquals } from "@tesseras/testing";
import { VirtualClock } from "@tesseras/core";
import { everyMs } from "./every.ts";

Deno.test("everyMs() says yes at once, and then once in each span", async () => {
  const clock = new VirtualClock();
  const due = everyMs(100, clock);
  const said: boolean[] = [];
  for (const waitMs of [0, 0, 99, 1, 250, 1]) {
    await clock.advance(waitMs);
    said.push(due());
  }
  assertEquals(said, [true, false, false, true, true, false]);
});
