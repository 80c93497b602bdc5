import * as fc from "fast-check";
import { assertEquals } from "@tesseras/testing";
import { lossesSurvived } from "./reach.ts";

Deno.test("copies survive all holders but one, and none when nobody holds any", () => {
  assertEquals(lossesSurvived([[0], [1], [2]], 1), 2);
  assertEquals(lossesSurvived([], 1), undefined);
  assertEquals(lossesSurvived([[0, 1], [2, 3]], 5), undefined);
});

Deno.test("24 fragments on 8 holders survive the loss of any two", () => {
  const holders = Array.from({ length: 8 }, (_, at) => [at, at + 8, at + 16]);
  assertEquals(lossesSurvived(holders, 16), 2);
});

Deno.test("the figure is never better than trying every loss", () => {
  const holder = fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(
    fc.array(holder, { maxLength: 6 }),
    fc.integer({ min: 1, max: 4 }),
    (holders, needed) => {
      const figure = lossesSurvived(holders, needed);
      const truth = tried(holders, needed);
      if (figure === undefined) return assertEquals(truth, undefined);
      assertEquals(figure <= truth!, true, `${figure} of ${truth}`);
    },
  ));
});

/** The truth, by trying every subset of holders. */
function tried(
  holders: readonly (readonly number[])[],
  needed: number,
): number | undefined {
  let worst: number | undefined;
  for (let lost = 0; lost < 1 << holders.length; lost++) {
    const left = holders.filter((_, at) => (lost >> at & 1) === 0);
    if (new Set(left.flat()).size >= needed) continue;
    const count = holders.length - left.length;
    worst = Math.min(worst ?? Infinity, count);
  }
  if (worst === 0) return undefined;
  return (worst ?? holders.length + 1) - 1;
}
