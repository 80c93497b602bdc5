import { assertEquals } from "@tesseras/testing";
import fc from "fast-check";
import { Calendar } from "./calendar.ts";

Deno.test("what is planned happens in order of time, then of planning, and never before now", () => {
  const moments = fc.array(fc.nat(50), { maxLength: 60 });
  fc.assert(fc.property(moments, moments, (first, later) => {
    const calendar = new Calendar(10);
    const seen: { readonly atMs: number; readonly order: number }[] = [];
    let order = 0;
    const plan = (atMs: number): void => {
      const own = order++;
      calendar.at(atMs, () => {
        seen.push({ atMs: calendar.nowMs, order: own });
        const next = later[own];
        if (own < first.length && next !== undefined) plan(next);
      });
    };
    first.forEach(plan);
    calendar.run(100);
    assertEquals(seen.length, order);
    assertEquals(calendar.nowMs, 100);
    const sorted = seen.toSorted((a, b) =>
      a.atMs - b.atMs || a.order - b.order
    );
    assertEquals(seen.map(({ atMs }) => atMs), sorted.map(({ atMs }) => atMs));
    const early = seen.filter((one) => one.order < first.length);
    assertEquals(
      early,
      early.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order),
    );
  }));
});

Deno.test("what lies beyond the end does not happen", () => {
  const calendar = new Calendar(0);
  let count = 0;
  calendar.at(5, () => count++);
  calendar.run(4);
  assertEquals(count, 0);
  calendar.run(5);
  assertEquals(count, 1);
});
