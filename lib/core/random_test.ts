import { assertEquals, assertTrue } from "@tesseras/testing";
import { throws } from "node:assert/strict";
import { toHex } from "./bytes.ts";
import { type Random, SeededRandom, shuffled } from "./random.ts";
import { systemRandom } from "./system.ts";

Deno.test("one seed gives one sequence, another seed another", () => {
  const of = (seed: number): string => {
    const random = new SeededRandom(seed);
    const [bytes, below] = [random.bytes(16), random.below(1_000)];
    return `${toHex(bytes)} ${below} ${random.fork().uint32()}`;
  };
  assertEquals(of(7), of(7));
  const seen = new Set(Array.from({ length: 200 }, (_, seed) => of(seed)));
  assertEquals(seen.size, 200);
});

Deno.test("a fork goes its own way", () => {
  const parent = new SeededRandom(1);
  const [a, b] = [parent.fork(), parent.fork()];
  const drawn = [parent, a, b].map((random) => toHex(random.bytes(8)));
  assertEquals(new Set(drawn).size, 3);
});

const sources: readonly (readonly [string, Random])[] = [
  ["seeded", new SeededRandom(42)],
  ["system's", systemRandom],
];
for (const [name, random] of sources) {
  Deno.test(`below() of the ${name} source stays in its range and favours nobody`, () => {
    for (const limit of [1, 2, 3, 7, 2 ** 31 + 1, 2 ** 32]) {
      for (let i = 0; i < 200; i++) {
        const drawn = random.below(limit);
        assertTrue(Number.isInteger(drawn) && drawn >= 0 && drawn < limit);
      }
    }
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20_000; i++) counts[random.below(10)]!++;
    // Chi squared with 9 degrees of freedom: above 50 once in 10 million runs.
    const chi = counts.reduce((sum, n) => sum + (n - 2_000) ** 2 / 2_000, 0);
    assertTrue(chi < 50, `chi squared is ${chi}`);
  });

  Deno.test(`the ${name} source refuses a range nobody can draw from`, () => {
    for (const limit of [0, -1, 1.5, NaN, Infinity, 2 ** 32 + 1]) {
      throws(() => random.below(limit), /cannot draw a number below/);
    }
  });

  Deno.test(`bytes() of the ${name} source fills every byte asked for`, () => {
    assertEquals(random.bytes(0).length, 0);
    // Past what the system gives in one call.
    const bytes = random.bytes(3 * 65_536 + 5);
    assertEquals(bytes.length, 3 * 65_536 + 5);
    for (let at = 0; at < bytes.length; at += 4_096) {
      assertTrue(
        bytes.subarray(at, at + 64).some((byte) => byte !== 0) ||
          bytes.length - at < 64,
      );
    }
    assertEquals(new Set(bytes).size, 256);
  });
}

Deno.test("shuffled() keeps every item, leaves the original alone and reaches every order", () => {
  const items = [1, 2, 3];
  const random = new SeededRandom(3);
  const orders = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const shuffle = shuffled(items, random);
    assertEquals([...shuffle].sort(), items);
    orders.add(shuffle.join());
  }
  assertEquals(orders.size, 6);
  assertEquals(items, [1, 2, 3]);
});
