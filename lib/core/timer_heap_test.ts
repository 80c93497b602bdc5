import { assertEquals } from "@tesseras/testing";
import fc from "fast-check";
import { type Timer, TimerHeap } from "./timer_heap.ts";

type Model = { readonly timer: Timer; readonly dueMs: number };

/** Where the timer that is next stands among those that wait. */
function nextOf(waiting: readonly Model[]): number {
  let at = 0;
  for (const [i, { timer, dueMs }] of waiting.entries()) {
    const next = waiting[at]!;
    const isSooner = dueMs < next.dueMs ||
      (dueMs === next.dueMs && timer.order < next.timer.order);
    if (isSooner) at = i;
  }
  return at;
}

Deno.test("whatever is pushed, cancelled, swept and popped, timers come out as a sorted list gives them", () => {
  // Few different times, so that many are equal.
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat(20) },
    { weight: 3, arbitrary: fc.constant("pop" as const) },
    { weight: 2, arbitrary: fc.constant("cancel" as const) },
    { weight: 1, arbitrary: fc.constant("sweep" as const) },
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const heap = new TimerHeap();
    let waiting: Model[] = [];
    for (const [order, what] of steps.entries()) {
      if (what === "pop") {
        const [next] = waiting.splice(nextOf(waiting), 1);
        assertEquals(heap.nextMs, next?.dueMs ?? Infinity);
        assertEquals(heap.pop(), next?.timer);
      } else if (what === "cancel") {
        const one = waiting[waiting.length >> 1];
        if (one !== undefined) one.timer.callback = undefined;
      } else if (what === "sweep") {
        heap.sweep();
        waiting = waiting.filter(({ timer }) => timer.callback !== undefined);
      } else {
        const timer = { order, callback: () => {} };
        waiting.push({ timer, dueMs: what });
        heap.push(timer, what);
      }
      assertEquals(heap.size, waiting.length);
    }
  }));
});
