import { type Random, SeededRandom } from "@tesseras/core";
import { BULK_BYTES_MAX, KIB, MIB } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  auditBytesMax,
  caughtProbability,
  drawRanges,
  RANGE_BYTES,
  rangesPerAudit,
  SAMPLING_DEFAULTS,
} from "./sampling.ts";

const { keptShare, auditCount } = SAMPLING_DEFAULTS;

Deno.test("nine ranges an audit catch who keeps nine tenths, and eight would not do", () => {
  assertEquals(rangesPerAudit(), 9);
  assertTrue(1 - keptShare ** (9 * auditCount) >= 0.99);
  assertTrue(1 - keptShare ** (8 * auditCount) < 0.99);
});

Deno.test("the number of ranges is the smallest that reaches its goal", () => {
  fc.assert(fc.property(
    fc.double({ min: 0.01, max: 0.999, noNaN: true }),
    fc.double({ min: 0.01, max: 0.9999, noNaN: true }),
    fc.integer({ min: 1, max: 30 }),
    (kept, caught, audits) => {
      const ranges = rangesPerAudit({
        keptShare: kept,
        caughtProbability: caught,
        auditCount: audits,
      });
      const reached = (count: number) => -Math.expm1(Math.log(kept) * count);
      assertTrue(reached(ranges * audits) >= caught - 1e-6);
      assertTrue(
        ranges === 1 || reached((ranges - 1) * audits) < caught + 1e-6,
      );
    },
  ));
});

Deno.test("a cheat is caught at every size of fragment, and surely when all is asked for", () => {
  for (const fragmentBytes of [11 * KIB, 256 * KIB, 4 * MIB, BULK_BYTES_MAX]) {
    const caught = caughtProbability({
      fragmentBytes,
      keptShare,
      rangeCount: rangesPerAudit(),
      auditCount,
    });
    assertTrue(caught >= 0.99, `${caught} of ${fragmentBytes}`);
  }
  const small = { fragmentBytes: 9 * KIB, keptShare, auditCount: 1 };
  assertEquals(caughtProbability({ ...small, rangeCount: 9 }), 1);
});

/** How often a holder that keeps nine tenths fails at least one audit of five. */
function caughtShare(
  trials: number,
  isKept: (offset: number, fragmentBytes: number) => boolean,
): number {
  const random = new SeededRandom(11);
  const fragmentBytes = 4 * MIB;
  let caught = 0;
  for (let trial = 0; trial < trials; trial++) {
    let isCaught = false;
    for (let audit = 0; audit < auditCount; audit++) {
      const ranges = drawRanges(fragmentBytes, rangesPerAudit(), random);
      isCaught ||= !ranges.every(({ offset }) => isKept(offset, fragmentBytes));
    }
    if (isCaught) caught++;
  }
  return caught / trials;
}

Deno.test("a simulation agrees with the arithmetic, wherever the missing tenth lies", () => {
  const foretold = caughtProbability({
    fragmentBytes: 4 * MIB,
    keptShare,
    rangeCount: rangesPerAudit(),
    auditCount,
  });
  const ways: ((offset: number, bytes: number) => boolean)[] = [
    (offset, bytes) => offset < bytes * keptShare,
    (offset, bytes) => offset >= bytes * (1 - keptShare),
    (offset) => (offset / RANGE_BYTES) % 10 !== 3,
  ];
  for (const isKept of ways) {
    const trials = 20_000;
    const seen = caughtShare(trials, isKept);
    // Four standard errors.
    const error = 4 * Math.sqrt(foretold * (1 - foretold) / trials);
    assertTrue(Math.abs(seen - foretold) < error, `${seen}, not ${foretold}`);
    assertTrue(seen >= 0.99 - error);
  }
});

Deno.test("an honest holder is never caught", () => {
  assertEquals(caughtShare(1_000, () => true), 0);
});

Deno.test("ranges are distinct chunks within the fragment, in order, the last as long as it is", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: BULK_BYTES_MAX }),
    fc.integer({ min: 1, max: 40 }),
    fc.nat(),
    (bytes, count, seed) => {
      const ranges = drawRanges(bytes, count, new SeededRandom(seed));
      assertEquals(
        ranges.length,
        Math.min(count, Math.ceil(bytes / RANGE_BYTES)),
      );
      let endsAt = 0;
      for (const { offset, bytes: length } of ranges) {
        assertTrue(offset >= endsAt && offset % RANGE_BYTES === 0);
        assertTrue(length === RANGE_BYTES || offset + length === bytes);
        assertTrue(length > 0 && offset + length <= bytes);
        endsAt = offset + length;
      }
    },
  ));
});

Deno.test("every chunk is asked for equally often", () => {
  const random = new SeededRandom(13);
  const seen = new Array<number>(20).fill(0);
  for (let i = 0; i < 20_000; i++) {
    for (const { offset } of drawRanges(20 * KIB, 5, random)) {
      seen[offset / RANGE_BYTES]!++;
    }
  }
  assertTrue(
    seen.every((count) => count > 4_700 && count < 5_300),
    seen.join(),
  );
});

Deno.test("nothing but the random source decides the ranges", () => {
  const drawn: number[] = [];
  const source: Random = {
    bytes: () => new Uint8Array(),
    below: (limit) => {
      drawn.push(limit);
      return limit - 1;
    },
  };
  const ranges = drawRanges(10 * KIB, 3, source);
  assertEquals(drawn, [8, 9, 10]);
  assertEquals(ranges.map(({ offset }) => offset / RANGE_BYTES), [7, 8, 9]);
});

Deno.test("an audit of the largest fragment answers with less than 14 KiB", () => {
  assertEquals(auditBytesMax(RANGE_BYTES, 9), RANGE_BYTES);
  assertTrue(auditBytesMax(BULK_BYTES_MAX, 9) <= 14 * KIB);
});
