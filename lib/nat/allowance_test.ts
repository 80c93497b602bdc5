import fc from "fast-check";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Allowance, monthOf, MonthVolume } from "./allowance.ts";

const RATE = { bytesPerSecond: 1_000, burstBytes: 500 };

Deno.test("lets the burst through at once and then the rate, and drops what is over", () => {
  const allowance = new Allowance(RATE, 0);
  assertTrue(allowance.take(500, 0));
  assertTrue(!allowance.take(1, 0));
  assertTrue(allowance.take(100, 100) && !allowance.take(1, 100));
  assertTrue(!allowance.take(501, 1e9), "no packet is larger than the burst");
  assertTrue(allowance.take(500, 1e9), "what was dropped is not paid for");
});

Deno.test("a clock that goes back neither gives nor takes", () => {
  const allowance = new Allowance(RATE, 1_000);
  assertTrue(allowance.take(100, 1_000) && allowance.take(400, 0));
  assertTrue(!allowance.take(1, 1_000) && allowance.take(1, 1_001));
});

Deno.test("never lets more through than rate and burst, whatever comes and wherever the clock goes", () => {
  const packet = fc.tuple(fc.integer({ min: -50, max: 300 }), fc.nat(700));
  fc.assert(fc.property(fc.array(packet), (packets) => {
    const allowance = new Allowance(RATE, 0);
    let nowMs = 0;
    let latestMs = 0;
    let passed = 0;
    for (const [pauseMs, bytes] of packets) {
      nowMs += pauseMs;
      latestMs = Math.max(latestMs, nowMs);
      if (allowance.take(bytes, nowMs)) passed += bytes;
      assertTrue(passed <= RATE.burstBytes + latestMs + 1e-6);
    }
  }));
});

Deno.test("counts months as the calendar does", () => {
  const calendar = (unixMs: number): number => {
    const date = new Date(unixMs);
    return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
  };
  fc.assert(fc.property(
    fc.integer({ min: -2_000_000_000_000, max: 250_000_000_000_000 }),
    (unixMs) => assertEquals(monthOf(unixMs), calendar(unixMs)),
  ));
  for (let year = 1999; year < 2105; year++) {
    for (let month = 0; month < 12; month++) {
      const first = Date.UTC(year, month, 1);
      assertEquals(monthOf(first), calendar(first));
      assertEquals(monthOf(first - 1), calendar(first) - 1);
    }
  }
});

Deno.test("holds a month's ceiling over a restart and lifts it with the next month", () => {
  const july = Date.UTC(2026, 6, 31, 23, 59);
  const volume = new MonthVolume(1_000, undefined, july);
  volume.add(999);
  assertTrue(!volume.isSpent);
  volume.add(1);
  assertTrue(volume.isSpent);
  const restarted = new MonthVolume(1_000, volume.used, july);
  assertTrue(restarted.isSpent);
  restarted.roll(july);
  assertTrue(restarted.isSpent);
  restarted.roll(july + 60_000);
  assertEquals(restarted.used, { month: monthOf(july) + 1, bytes: 0 });
  assertTrue(!new MonthVolume(1_000, volume.used, july + 60_000).isSpent);
});

Deno.test("a clock set back lifts no ceiling", () => {
  const july = Date.UTC(2026, 6, 15);
  const volume = new MonthVolume(1_000, undefined, july);
  volume.add(1_000);
  volume.roll(july - 40 * 86_400_000);
  assertTrue(volume.isSpent);
  assertTrue(new MonthVolume(1_000, volume.used, 0).isSpent);
});
