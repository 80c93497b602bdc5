import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { Arrivals } from "./arrivals.ts";

const never = new AbortController().signal;

Deno.test("hands items over in order, to whoever waited longest", async () => {
  const arrivals = new Arrivals<number>(4);
  const first = arrivals.take(never);
  const second = arrivals.take(never);
  for (const item of [1, 2, 3]) arrivals.push(item);
  assertEquals(await second, 2);
  assertEquals(await first, 1);
  assertEquals(await arrivals.take(never), 3);
});

Deno.test("takes no more than its limit", async () => {
  const arrivals = new Arrivals<number>(2);
  assertEquals([1, 2, 3].map((item) => arrivals.push(item)), [
    true,
    true,
    false,
  ]);
  assertEquals(await arrivals.take(never), 1);
  assertEquals(arrivals.push(4), true);
});

Deno.test("an item given to a taker that stopped waiting goes to the next", async () => {
  const arrivals = new Arrivals<number>(2);
  const controller = new AbortController();
  const stopped = arrivals.take(controller.signal);
  const waiting = arrivals.take(never);
  controller.abort();
  arrivals.push(1);
  await assertRejectsCode(stopped, "cancelled");
  assertEquals(await waiting, 1);
});

Deno.test("an item given in the moment its taker stops is not lost", async () => {
  const arrivals = new Arrivals<number>(2);
  const controller = new AbortController();
  const stopped = arrivals.take(controller.signal);
  arrivals.push(1);
  controller.abort();
  await assertRejectsCode(stopped, "cancelled");
  assertEquals(await arrivals.take(never), 1);
});

Deno.test("closed, it gives what is left and then nothing", async () => {
  const arrivals = new Arrivals<number>(2);
  arrivals.push(1);
  arrivals.close();
  assertEquals(arrivals.push(2), false);
  assertEquals(await arrivals.take(never), 1);
  assertEquals(await arrivals.take(never), undefined);
  const other = new Arrivals<number>(2);
  const waiting = other.take(never);
  other.close();
  assertEquals(await waiting, undefined);
});
