import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { VirtualClock } from "./clock.ts";
import { TesserasError } from "./error.ts";
import { mapBounded, orAbort, Semaphore, Tasks } from "./tasks.ts";

const never = new AbortController().signal;
const broken = (): TesserasError => new TesserasError("corrupt", "Broken");

/** Ends when the signal says so. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return orAbort(new Promise<never>(() => {}), signal);
}

Deno.test("leaving a scope cancels and joins what it runs", async () => {
  const ended: string[] = [];
  {
    await using tasks = new Tasks(never);
    tasks.spawn(async (signal) => {
      try {
        await untilAborted(signal);
      } finally {
        await Promise.resolve();
        ended.push("slow to end");
      }
    });
    assertEquals(tasks.runningCount, 1);
  }
  assertEquals(ended, ["slow to end"]);
});

Deno.test("the first failure ends the scope and reaches its owner once", async () => {
  const tasks = new Tasks(never);
  const ended = Promise.withResolvers<void>();
  tasks.spawn((signal) => untilAborted(signal).finally(ended.resolve));
  tasks.spawn(() => Promise.reject(broken()));
  assertTrue(await tasks.failed instanceof TesserasError);
  await ended.promise;
  assertTrue(tasks.signal.aborted);
  await assertRejectsCode(tasks.stop(), "corrupt");
  await tasks.stop();
});

Deno.test("work that throws before it waits is a failure like any other", async () => {
  const tasks = new Tasks(never);
  tasks.spawn(() => {
    throw broken();
  });
  await tasks.failed;
  await assertRejectsCode(tasks.stop(), "corrupt");
});

Deno.test("work that failed before the scope was stopped has failed, though nobody has heard of it yet", async () => {
  const tasks = new Tasks(never);
  tasks.spawn(() => Promise.reject(broken()));
  await Promise.resolve();
  await assertRejectsCode(tasks.stop(), "corrupt");
});

Deno.test("a cancellation ends one task and leaves the others alone", async () => {
  await using tasks = new Tasks(never);
  tasks.spawn(() => Promise.reject(new TesserasError("cancelled", "Enough")));
  tasks.spawn((signal) => untilAborted(signal));
  await new VirtualClock().advance(1);
  assertEquals([tasks.runningCount, tasks.signal.aborted], [1, false]);
});

Deno.test("a scope ends with its parent, and then starts nothing", async () => {
  const parent = new AbortController();
  const tasks = new Tasks(parent.signal);
  tasks.spawn((signal) => untilAborted(signal));
  parent.abort();
  let started = false;
  tasks.spawn(() => Promise.resolve(void (started = true)));
  await tasks.stop();
  await using late = new Tasks(parent.signal);
  late.spawn(() => Promise.resolve(void (started = true)));
  assertEquals(started, false);
});

Deno.test("tasks spawned while the scope is being left are joined too", async () => {
  const tasks = new Tasks(never);
  let isDone = false;
  tasks.spawn(async (signal) => {
    await untilAborted(signal).catch(() => {});
    tasks.spawn(() => Promise.resolve(void (isDone = true)));
  });
  await tasks.stop();
  assertEquals([tasks.runningCount, isDone], [0, false]);
});

Deno.test("mapBounded() keeps the order of items and the limit of lanes", async () => {
  const clock = new VirtualClock();
  let running = 0;
  let most = 0;
  const results = await clock.run(
    mapBounded([5, 1, 4, 2, 3], 2, async (ms, signal) => {
      most = Math.max(most, ++running);
      await clock.sleep(ms, signal);
      running--;
      return 10 * ms;
    }, never),
  );
  assertEquals(results, [50, 10, 40, 20, 30]);
  assertEquals(most, 2);
  assertEquals(await mapBounded([], 3, () => Promise.resolve(1), never), []);
});

Deno.test("mapBounded() cancels, joins and tells the first failure, and draws no further item", async () => {
  const clock = new VirtualClock();
  const drawn: number[] = [];
  let isClosed = false;
  const items = function* (): Generator<number> {
    try {
      for (let i = 0; i < 100; i++) {
        drawn.push(i);
        yield i;
      }
    } finally {
      isClosed = true;
    }
  };
  let joined = 0;
  const work = async (item: number, signal: AbortSignal): Promise<void> => {
    try {
      await clock.sleep(item === 1 ? 5 : 1_000, signal);
      throw broken();
    } finally {
      joined++;
    }
  };
  const map = mapBounded(items(), 3, work, never);
  await assertRejectsCode(clock.run(map), "corrupt");
  assertEquals([drawn, joined, isClosed], [[0, 1, 2], 3, true]);
  assertEquals(clock.monotonicMs(), 5);
});

Deno.test("mapBounded() takes a cancellation by one item for a failure, not for a result", async () => {
  const cancelled = new TesserasError("cancelled", "The peer gave up");
  const map = mapBounded(
    [1, 2, 3],
    1,
    (item) => item === 2 ? Promise.reject(cancelled) : Promise.resolve(item),
    never,
  );
  await assertRejectsCode(map, "cancelled", /peer gave up/);
});

Deno.test("mapBounded() ends with its parent, before and during the work", async () => {
  const controller = new AbortController();
  let ended = 0;
  const map = mapBounded([1, 2], 2, async (_item, signal) => {
    try {
      await untilAborted(signal);
    } finally {
      ended++;
    }
  }, controller.signal);
  controller.abort();
  await assertRejectsCode(map, "cancelled");
  assertEquals(ended, 2);
  const late = mapBounded([1], 1, () => Promise.resolve(), controller.signal);
  await assertRejectsCode(late, "cancelled");
});

Deno.test("mapBounded() tells the failure of a source that breaks", async () => {
  const items = function* (): Generator<number> {
    yield 1;
    throw broken();
  };
  const map = mapBounded(items(), 2, () => Promise.resolve(), never);
  await assertRejectsCode(map, "corrupt");
});

Deno.test("a semaphore lets in as many as it may, first come first served", async () => {
  const semaphore = new Semaphore(2);
  const order: string[] = [];
  const first = await semaphore.enter(never);
  const second = await semaphore.enter(never);
  const waiting = ["a", "b", "c"].map(async (name) => {
    using _place = await semaphore.enter(never);
    order.push(name);
  });
  assertEquals(semaphore.waitingCount, 3);
  second[Symbol.dispose]();
  // Giving a place back twice must not make a second one of it.
  second[Symbol.dispose]();
  await Promise.all(waiting);
  assertEquals(order, ["a", "b", "c"]);
  first[Symbol.dispose]();
});

Deno.test("who stops waiting at a semaphore leaves the queue, and the next one gets the place", async () => {
  const semaphore = new Semaphore(1);
  const place = await semaphore.enter(never);
  const controller = new AbortController();
  const impatient = semaphore.enter(controller.signal);
  const patient = semaphore.enter(never);
  controller.abort();
  await assertRejectsCode(impatient, "cancelled");
  assertEquals(semaphore.waitingCount, 1);
  place[Symbol.dispose]();
  (await patient)[Symbol.dispose]();
  await assertRejectsCode(semaphore.enter(controller.signal), "cancelled");
  (await semaphore.enter(never))[Symbol.dispose]();
});

Deno.test("orAbort() settles with the promise when that is first", async () => {
  const { signal } = new AbortController();
  assertEquals(await orAbort(Promise.resolve(3), signal), 3);
  await assertRejectsCode(orAbort(Promise.reject(broken()), signal), "corrupt");
});

Deno.test("orAbort() rejects at the abort and hands over what comes late", async () => {
  const controller = new AbortController();
  const slow = Promise.withResolvers<string>();
  const late: string[] = [];
  const keep = (value: string): void => void late.push(value);
  const waiting = orAbort(slow.promise, controller.signal, keep);
  controller.abort();
  await assertRejectsCode(waiting, "cancelled");
  const tooLate = orAbort(slow.promise, controller.signal, keep);
  await assertRejectsCode(tooLate, "cancelled");
  slow.resolve("connection");
  await slow.promise;
  assertEquals(late, ["connection", "connection"]);
});

Deno.test("orAbort() swallows a failure that comes late", async () => {
  const controller = new AbortController();
  const slow = Promise.withResolvers<string>();
  const waiting = orAbort(slow.promise, controller.signal);
  controller.abort();
  await assertRejectsCode(waiting, "cancelled");
  slow.reject(broken());
  await new VirtualClock().advance(1);
});
