import { VirtualClock } from "@tesseras/core";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { Budget } from "./budget.ts";

const never = new AbortController().signal;

Deno.test("two who share a budget get through together no more than it lets", async () => {
  const clock = new VirtualClock();
  const budget = new Budget(1_000, clock);
  const lane = async () => {
    for (let i = 0; i < 10; i++) await budget.spend(100, never);
  };
  await clock.run(Promise.all([lane(), lane()]));
  assertEquals(clock.monotonicMs(), 1_900);
});

Deno.test("time in which nothing was moved is not saved up", async () => {
  const clock = new VirtualClock();
  const budget = new Budget(1_000, clock);
  await clock.advance(60_000);
  await budget.spend(500, never);
  await clock.run(budget.spend(1, never));
  assertEquals(clock.monotonicMs(), 60_500);
});

Deno.test("whoever waits for a budget can be stopped", async () => {
  const clock = new VirtualClock();
  const budget = new Budget(1, clock);
  await budget.spend(1_000_000, never);
  const stop = new AbortController();
  const waiting = budget.spend(1, stop.signal);
  stop.abort();
  await assertRejectsCode(waiting, "cancelled");
});
