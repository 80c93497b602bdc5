import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { type Clock, VirtualClock } from "./clock.ts";
import { codeOf, TesserasError } from "./error.ts";
import { systemClock } from "./system.ts";

const never = new AbortController().signal;

Deno.test("timers fire in order of time, then of creation, whatever was cancelled", async () => {
  const timer = fc.record({
    ms: fc.integer({ min: -5, max: 40 }),
    cancelled: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(timer, { maxLength: 300 }),
      async (timers) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        timers.forEach(({ ms, cancelled }, index) => {
          const stop = clock.after(ms, () => fired.push(index));
          if (cancelled) stop();
        });
        await clock.advance(50);
        const expected = timers
          .map(({ ms, cancelled }, index) => ({ ms, cancelled, index }))
          .filter(({ cancelled }) => !cancelled)
          .sort((a, b) =>
            Math.max(0, a.ms) - Math.max(0, b.ms) || a.index - b.index
          )
          .map(({ index }) => index);
        assertEquals(fired, expected);
        assertEquals(clock.timerCount, 0);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("advance() fires what falls due, and stands at the end of it", async () => {
  const clock = new VirtualClock(1_000);
  const fired: string[] = [];
  clock.after(10, () => fired.push("due"));
  clock.after(10.5, () => fired.push("later"));
  await clock.advance(10);
  assertEquals(fired, ["due"]);
  assertEquals([clock.nowMs(), clock.monotonicMs()], [1_010, 10]);
  await clock.advance(0.5);
  assertEquals(fired, ["due", "later"]);
  // Dates are whole although time is not.
  assertEquals([clock.nowMs(), clock.monotonicMs()], [1_010, 10.5]);
});

Deno.test("every promise reaction runs before the next timer", async () => {
  const clock = new VirtualClock();
  const history: string[] = [];
  const walk = async (name: string, ms: number): Promise<void> => {
    for (let step = 0; step < 3; step++) {
      await clock.sleep(ms, never);
      for (let i = 0; i < 5; i++) await Promise.resolve();
      history.push(`${name}${clock.monotonicMs()}`);
    }
  };
  await clock.run(Promise.all([walk("a", 2), walk("b", 3)]));
  // At 6 both are due; b went to sleep first.
  assertEquals(history, ["a2", "b3", "a4", "b6", "a6", "b9"]);
});

Deno.test("run() gives what the promise gives, and fails where no timer can help", async () => {
  const clock = new VirtualClock();
  assertEquals(
    await clock.run(clock.sleep(5, never).then(() => "done")),
    "done",
  );
  const failing = clock.sleep(5, never).then(() => {
    throw new TesserasError("refused", "Cannot go on");
  });
  await assertRejectsCode(clock.run(failing), "refused");
  for (const ms of [undefined, Infinity]) {
    const waiting = ms === undefined
      ? new Promise(() => {})
      : clock.sleep(ms, never);
    const said = await clock.run(waiting).catch(String);
    assertTrue(/no timer will bring/.test(String(said)), String(said));
  }
});

// A million timers: some seconds.
Deno.test("a clock that no longer moves is noticed", async () => {
  const clock = new VirtualClock();
  const forever = async (): Promise<void> => {
    for (;;) await clock.sleep(0, never);
  };
  const said = await clock.run(forever()).catch(String);
  assertTrue(/time stands still/.test(String(said)), String(said));
});

Deno.test("cancelled timers do not pile up until their time comes", () => {
  const clock = new VirtualClock();
  for (let i = 0; i < 10_000; i++) {
    using _deadline = clock.deadline(3_600_000, never);
  }
  assertTrue(clock.timerCount < 200, `${clock.timerCount} timers`);
});

type Passing = (wait: Promise<unknown>) => Promise<unknown>;
const virtual = new VirtualClock();
const clocks: readonly (readonly [string, Clock, Passing])[] = [
  ["virtual", virtual, (wait) => virtual.run(wait)],
  ["system", systemClock, (wait) => wait],
];
for (const [name, clock, advance] of clocks) {
  Deno.test(`a deadline of the ${name} clock aborts with timeout`, async () => {
    using deadline = clock.deadline(5, never);
    await advance(aborted(deadline.signal));
    assertEquals(codeOf(deadline.signal.reason), "timeout");
    assertEquals(
      deadline.signal.reason.message,
      "No answer within 5 ms",
    );
  });

  Deno.test(`a deadline of the ${name} clock ends with its parent, and keeps its reason`, () => {
    const parent = new AbortController();
    using deadline = clock.deadline(60_000, parent.signal);
    const reason = new TesserasError("overloaded", "Too much");
    parent.abort(reason);
    assertTrue(deadline.signal.reason === reason);
    using late = clock.deadline(60_000, parent.signal);
    assertTrue(late.signal.aborted && late.signal.reason === reason);
  });

  Deno.test(`a disposed deadline of the ${name} clock never aborts`, async () => {
    const parent = new AbortController();
    const deadline = clock.deadline(2, parent.signal);
    deadline[Symbol.dispose]();
    await advance(clock.sleep(6, never));
    parent.abort();
    assertEquals(deadline.signal.aborted, false);
  });

  Deno.test(`sleep() of the ${name} clock stops at an abort and leaves no timer`, async () => {
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort();
    await assertRejectsCode(sleeping, "cancelled");
    await assertRejectsCode(clock.sleep(1, controller.signal), "cancelled");
    await advance(clock.sleep(1, never));
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
