import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { absorb, type Flow } from "./chain.ts";

/** Whole numbers over 2^40, so that fractions of big integers are exactly the rates. */
const SCALE = 2 ** 40;

type Fraction = { readonly over: bigint; readonly under: bigint };

function fraction(over: bigint, under = 1n): Fraction {
  let a = over < 0n ? -over : over, b = under;
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? { over: 0n, under: 1n } : {
    over: over / a,
    under: under / a,
  };
}

function minus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.over * b.under - b.over * a.under, a.under * b.under);
}

function times(a: Fraction, b: Fraction): Fraction {
  return fraction(a.over * b.over, a.under * b.under);
}

function by(a: Fraction, b: Fraction): Fraction {
  const sign = b.over < 0n ? -1n : 1n;
  return fraction(sign * a.over * b.under, sign * a.under * b.over);
}

/** A fraction as a number, though neither part of it may be one. */
function numberOf({ over, under }: Fraction): number {
  if (over === 0n) return 0;
  const shift = BigInt(under.toString(2).length - over.toString(2).length + 80);
  const scaled = shift >= 0n
    ? Number(over << shift) / Number(under)
    : Number(over / under) * 2 ** Number(shift);
  return scaled / 2 ** Number(shift);
}

/** Mean times to the end by Gauss's elimination in exact fractions. */
function exactYears(flows: readonly (readonly Flow[])[]): number {
  const count = flows.length;
  const rows = flows.map((ways, from) => {
    const row = Array.from({ length: count + 1 }, () => fraction(0n));
    row[count] = fraction(BigInt(SCALE));
    for (const { to, perYear } of ways) {
      const rate = fraction(BigInt(perYear * SCALE));
      if (to === from) continue;
      row[from] = minus(row[from]!, times(rate, fraction(-1n)));
      if (to !== undefined) row[to] = minus(row[to]!, rate);
    }
    return row;
  });
  for (let pivot = count - 1; pivot > 0; pivot--) {
    for (let at = 0; at < pivot; at++) {
      const factor = by(rows[at]![pivot]!, rows[pivot]![pivot]!);
      rows[at] = rows[at]!.map((value, column) =>
        minus(value, times(factor, rows[pivot]![column]!))
      );
    }
  }
  return numberOf(by(rows[0]![count]!, rows[0]![0]!));
}

function isClose(seen: number, wanted: number, error = 1e-12): boolean {
  return Math.abs(seen / wanted - 1) < error;
}

/** `count` disks of which all but one may fail, mended one by one. */
function mirrors(count: number, failsPerYear: number, mendsPerYear: number) {
  return Array.from({ length: count }, (_, failed): Flow[] => [
    {
      to: failed + 1 < count ? failed + 1 : undefined,
      perYear: (count - failed) * failsPerYear,
    },
    ...failed > 0 ? [{ to: failed - 1, perYear: mendsPerYear }] : [],
  ]);
}

Deno.test("two mirrored disks last as long as the textbook says", () => {
  // Patterson, Gibson and Katz 1988, exactly: (3 l + m) / (2 l^2).
  const fails = 0.25, mends = 512;
  const { years, perYear } = absorb(mirrors(2, fails, mends), 0);
  assertTrue(isClose(years, (3 * fails + mends) / (2 * fails ** 2)));
  assertTrue(isClose(perYear, 1 / years));
});

Deno.test("a loss once in 10^30 years is right to twelve digits, as exact fractions show", () => {
  const flows = mirrors(10, 1 / 8, 2 ** 13);
  const { years } = absorb(flows, 0);
  assertTrue(years > 1e30, String(years));
  assertTrue(isClose(years, exactYears(flows)), `${years}`);
});

Deno.test("agrees with exact fractions on every small chain", () => {
  const rate = fc.integer({ min: -20, max: 20 }).map((power) => 2 ** power);
  const chains = fc.integer({ min: 1, max: 6 }).chain((count) =>
    fc.array(
      fc.array(
        fc.record({ to: fc.nat(count - 1), perYear: rate }),
        { maxLength: 4 },
      ).chain((ways) =>
        rate.map((perYear): Flow[] => [...ways, { to: undefined, perYear }])
      ),
      { minLength: count, maxLength: count },
    )
  );
  fc.assert(fc.property(chains, (flows) => {
    assertTrue(isClose(absorb(flows, 0).years, exactYears(flows)));
  }));
});

Deno.test("the chance to end before coming home is the gambler's", () => {
  // A step up and a step down are equally likely: from state 2 of 5 the end at 5 comes first with 2 / 5.
  const flows = Array.from({ length: 5 }, (_, at): Flow[] => [
    { to: at + 1 < 5 ? at + 1 : undefined, perYear: 3 },
    ...at > 0 ? [{ to: at - 1, perYear: 3 }] : [],
  ]);
  for (let start = 1; start < 5; start++) {
    assertTrue(isClose(absorb(flows, start).beforeHome, start / 5));
  }
  assertEquals(absorb(flows, 0).beforeHome, 0);
});

Deno.test("where one starts changes nothing about the long run", () => {
  const flows = mirrors(6, 0.5, 64);
  const { years } = absorb(flows, 0);
  for (let start = 1; start < 6; start++) {
    assertTrue(isClose(absorb(flows, start).years, years));
  }
});
