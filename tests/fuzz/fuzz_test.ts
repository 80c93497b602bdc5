import { assertEquals, assertTrue } from "@tesseras/testing";
import { TesserasError } from "@tesseras/core";
import { campaign } from "./campaign.ts";
import type { FuzzTarget } from "./target.ts";
import { fuzzTargets } from "./targets.ts";

const LIMITS = { seed: 1, iterationsMax: 3000, isOver: () => false };

/** A reader that accepts everything, to be broken in one way each. */
const SOUND: FuzzTarget = {
  name: "test/sound",
  corpus: [new Uint8Array(40).fill(0x55)],
  refuses: ["malformed"],
  isExact: true,
  rewrite: (bytes) => bytes.slice(),
};

for (const target of await fuzzTargets()) {
  Deno.test(`${target.name} keeps its promises over some hundred mutations`, async () => {
    const report = await campaign(target, { ...LIMITS, iterationsMax: 800 });
    assertEquals(report.find, undefined);
    assertEquals(report.iterations, 800);
    assertTrue(report.accepted > 0, "the corpus has something to accept");
    assertTrue(report.behaviours > 1);
  });
}

Deno.test("campaign() finds a reader that throws what it did not promise", async () => {
  const crash = (bytes: Uint8Array): Uint8Array => {
    if (bytes[3] === 0xc1) throw new TypeError("deep inside");
    return bytes.slice();
  };
  const { find } = await campaign({ ...SOUND, rewrite: crash }, LIMITS);
  assertTrue(find?.problem.includes("deep inside"));
  assertEquals(find?.hex.slice(6, 8), "c1");
  const forged = (): never => {
    throw new TesserasError("forged", "Cannot believe it");
  };
  const other = await campaign({ ...SOUND, rewrite: forged }, LIMITS);
  assertTrue(other.find?.problem.startsWith("threw forged"));
});

Deno.test("campaign() finds a reader that writes back something else", async () => {
  const lossy = (bytes: Uint8Array): Uint8Array => bytes.slice(0, 40);
  const { find } = await campaign({ ...SOUND, rewrite: lossy }, LIMITS);
  assertTrue(find?.problem.startsWith("accepted, but written back as"));
  const unsteady = { ...SOUND, isExact: false };
  const growing = (bytes: Uint8Array): Uint8Array =>
    new Uint8Array(bytes.length + 1);
  const other = await campaign({ ...unsteady, rewrite: growing }, LIMITS);
  assertTrue(other.find?.problem.endsWith("then differently"));
});

Deno.test("campaign() finds a reader that changes its argument", async () => {
  const rude = (bytes: Uint8Array): Uint8Array => bytes.fill(0);
  const { find } = await campaign({ ...SOUND, rewrite: rude }, LIMITS);
  assertEquals(find?.problem, "the reader changed its argument");
});

Deno.test("campaign() repeats itself from its seed, and stops when told", async () => {
  const sums: number[] = [];
  const summing = (bytes: Uint8Array): Uint8Array => {
    sums.push(bytes.reduce((sum, byte) => sum + byte, 0));
    return bytes.slice();
  };
  const target = { ...SOUND, rewrite: summing };
  await campaign(target, LIMITS);
  const first = sums.splice(0);
  await campaign(target, LIMITS);
  assertEquals(sums, first);
  const { iterations } = await campaign(target, {
    ...LIMITS,
    isOver: () => true,
  });
  assertEquals(iterations, 0);
});

Deno.test("campaign() finds a reader that sets aside what was only announced", async () => {
  const announced = (bytes: Uint8Array): number =>
    bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0) >>> 7;
  const kept: unknown[] = [];
  const trusting = (bytes: Uint8Array): Uint8Array => {
    kept[0] = new Uint8Array(announced(bytes));
    return bytes.slice();
  };
  const { find } = await campaign({ ...SOUND, rewrite: trusting }, LIMITS);
  assertTrue(find?.problem.startsWith("took "), find?.problem);
  const listing = (bytes: Uint8Array): Uint8Array => {
    kept[0] = Array.from(
      { length: announced(bytes) >>> 8 },
      (_, at) => ({ at }),
    );
    return bytes.slice();
  };
  const other = await campaign({ ...SOUND, rewrite: listing }, LIMITS);
  assertTrue(other.find?.problem.startsWith("took "), other.find?.problem);
});
