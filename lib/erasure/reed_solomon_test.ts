import { concat, equal, SeededRandom, shuffled, toHex } from "@tesseras/core";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import vectors from "@tesseras/vectors/reed_solomon.json" with { type: "json" };
import fc from "fast-check";
import { createHash } from "node:crypto";
import { type KernelName, KERNELS, runs } from "./product.ts";
import { Decoder, Encoder } from "./reed_solomon.ts";
import type { Shape } from "./shape.ts";

const kernels = KERNELS.filter(runs);

Deno.test("agrees with another implementation, by every kernel", () => {
  assertEquals(vectors.vectors.length, 13);
  for (const vector of vectors.vectors) {
    const { dataCount, parityCount, shardBytes } = vector;
    const data = Array.from(
      { length: dataCount },
      (_, shard) =>
        Uint8Array.from({ length: shardBytes }, (_, position) => {
          const x = shard * shardBytes + position;
          return x * x + 7 * x + Math.floor(x / 251);
        }),
    );
    for (const kernel of kernels) {
      const parity = encode({ dataCount, parityCount }, data, kernel);
      if (vector.parity) assertEquals(parity.map(toHex), vector.parity);
      assertEquals(
        createHash("sha256").update(concat(parity)).digest("hex"),
        vector.paritySha256,
      );
    }
  }
});

Deno.test("runs the vector kernels here, so that the tests below mean something", () => {
  assertTrue(kernels.includes("table") && kernels.includes("simd"));
});

const shapes = fc.integer({ min: 1, max: 24 }).chain((dataCount) =>
  fc.record({
    dataCount: fc.constant(dataCount),
    parityCount: fc.integer({ min: 1, max: 16 }),
    length: fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 30_000 }),
    ),
    seed: fc.nat(),
  })
);

Deno.test("makes any shards from any dataCount others, by every kernel alike", () => {
  fc.assert(
    fc.property(shapes, ({ length, seed, ...shape }) => {
      const random = new SeededRandom(seed);
      const data = Array.from(
        { length: shape.dataCount },
        () => random.bytes(length),
      );
      const parities = kernels.map((kernel) => encode(shape, data, kernel));
      for (const parity of parities) assertEquals(parity, parities[0]);
      const shards = [...data, ...parities[0]!];
      const numbers = shards.map((_, number) => number);
      const present = shuffled(numbers, random).slice(0, shape.dataCount);
      const wanted = shuffled(numbers, random)
        .slice(0, 1 + random.below(shards.length));
      for (const kernel of kernels) {
        const decoder = new Decoder(shape, { present, wanted }, { kernel });
        const out = wanted.map(() => new Uint8Array(length).fill(0xaa));
        decoder.decode(present.map((number) => shards[number]!), out);
        assertEquals(out, wanted.map((number) => shards[number]!));
      }
    }),
    { numRuns: 80 },
  );
});

/** Lengths around the steps of the kernels and the windows they work in, and none at all. */
const lengths = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 191, 192, 193),
  fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: -1, max: 1 }))
    .map(([steps, by]) => 192 * steps + by),
  fc.integer({ min: 0, max: 500 }),
);

Deno.test("gives the same bytes by every kernel, for any shape, length and place in memory", () => {
  const shapes = fc.record({
    dataCount: fc.integer({ min: 1, max: 128 }),
    parityCount: fc.oneof(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 128 }),
    ),
    length: lengths,
    shift: fc.integer({ min: 0, max: 40 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shapes, ({ length, shift, seed, ...shape }) => {
      const random = new SeededRandom(seed);
      // Every window begins somewhere else, none of them where vectors like to.
      const data = Array.from(
        { length: shape.dataCount },
        (_, i) => random.bytes(length + shift + i).subarray(shift + i),
      );
      const wanted = encode(shape, data, "table");
      for (const kernel of kernels) {
        const memory = new Uint8Array(shape.parityCount * (length + 7) + 7);
        const parity = Array.from(
          { length: shape.parityCount },
          (_, i) => memory.subarray(i * (length + 7) + 7).subarray(0, length),
        );
        new Encoder(shape, { kernel }).encode(data, parity);
        assertEquals(parity.map(toHex), wanted.map(toHex), kernel);
        for (const window of parity) window.fill(0);
        assertTrue(memory.every((byte) => byte === 0), "written around");
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("agrees with tables over several windows of the kernels' memory", () => {
  for (const [dataCount, parityCount] of [[1, 2], [16, 8], [20, 5]] as const) {
    const random = new SeededRandom(dataCount);
    for (const length of [150_000, 60_001]) {
      const data = Array.from(
        { length: dataCount },
        () => random.bytes(length),
      );
      const wanted = encode({ dataCount, parityCount }, data, "table");
      for (const kernel of kernels) {
        const parity = encode({ dataCount, parityCount }, data, kernel);
        assertTrue(
          parity.every((window, i) => equal(window, wanted[i]!)),
          `${kernel} ${dataCount}+${parityCount} ${length}`,
        );
      }
    }
  }
});

Deno.test("loses nothing when every data shard of the real tiers is lost that may be", () => {
  for (const shape of [[16, 8], [48, 24], [128, 128]] as const) {
    const [dataCount, parityCount] = shape;
    const random = new SeededRandom(dataCount);
    const data = Array.from({ length: dataCount }, () => random.bytes(3_001));
    const parity = encode({ dataCount, parityCount }, data);
    const lost = data.map((_, number) => number).slice(0, parityCount);
    const present = [...data, ...parity].map((_, number) => number)
      .filter((number) => !lost.includes(number)).slice(0, dataCount);
    const out = lost.map(() => new Uint8Array(3_001));
    new Decoder({ dataCount, parityCount }, { present, wanted: lost }).decode(
      present.map((number) => [...data, ...parity][number]!),
      out,
    );
    assertEquals(out, lost.map((number) => data[number]!));
  }
});

Deno.test("copies when there is one data shard", () => {
  const data = [Uint8Array.of(1, 2, 3)];
  const parity = encode({ dataCount: 1, parityCount: 6 }, data);
  assertEquals(parity, Array(6).fill(data[0]));
});

Deno.test("keeps coders apart that work in turns", () => {
  const random = new SeededRandom(4);
  const data = Array.from({ length: 8 }, () => random.bytes(500));
  const small = new Encoder({ dataCount: 3, parityCount: 2 });
  const large = new Encoder({ dataCount: 8, parityCount: 5 });
  const smallParity = [new Uint8Array(500), new Uint8Array(500)];
  const largeParity = Array.from({ length: 5 }, () => new Uint8Array(500));
  for (let turn = 0; turn < 3; turn++) {
    small.encode(data.slice(0, 3), smallParity);
    large.encode(data, largeParity);
  }
  assertEquals(
    smallParity,
    encode({ dataCount: 3, parityCount: 2 }, data.slice(0, 3), "table"),
  );
  assertEquals(
    largeParity,
    encode({ dataCount: 8, parityCount: 5 }, data, "table"),
  );
});

Deno.test("writes its windows and not a byte around them", () => {
  for (const kernel of kernels) {
    const random = new SeededRandom(9);
    const around = random.bytes(300);
    const memory = around.slice();
    const data = [random.bytes(77), random.bytes(77)];
    new Encoder({ dataCount: 2, parityCount: 1 }, { kernel })
      .encode(data, [memory.subarray(100, 177)]);
    assertEquals(memory.subarray(0, 100), around.subarray(0, 100));
    assertEquals(memory.subarray(177), around.subarray(177));
  }
});

Deno.test("refuses shapes that cannot be", () => {
  const shapes: readonly (readonly [number, number])[] = [
    [0, 1],
    [129, 1],
    [128, 129],
    [1, 256],
    [1, -1],
    [1.5, 1],
    [2, NaN],
  ];
  for (const [dataCount, parityCount] of shapes) {
    const shape = { dataCount, parityCount };
    assertThrowsCode(() => new Encoder(shape), "unusable", /^Cannot code /);
    const plan = { present: [0], wanted: [] };
    assertThrowsCode(() => new Decoder(shape, plan), "unusable");
  }
});

Deno.test("refuses plans that name the wrong shards", () => {
  const shape = { dataCount: 2, parityCount: 2 };
  const plans: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[0], [1]],
    [[0, 1, 2], [3]],
    [[0, 0], [1]],
    [[0, 4], [1]],
    [[0, -1], [1]],
    [[0, 0.5], [1]],
    [[0, 1], [2, 2]],
    [[0, 1], [4]],
  ];
  for (const [present, wanted] of plans) {
    assertThrowsCode(
      () => new Decoder(shape, { present, wanted }),
      "unusable",
      /^Cannot decode: /,
    );
  }
});

Deno.test("refuses windows of the wrong number or length", () => {
  const bytes = (length: number) => new Uint8Array(length);
  const encoder = new Encoder({ dataCount: 2, parityCount: 1 });
  const decoder = new Decoder({ dataCount: 2, parityCount: 1 }, {
    present: [2, 0],
    wanted: [1],
  });
  const cases: readonly [readonly Uint8Array[], readonly Uint8Array[]][] = [
    [[bytes(4)], [bytes(4)]],
    [[bytes(4), bytes(4)], []],
    [[bytes(4), bytes(4), bytes(4)], [bytes(4)]],
    [[bytes(4), bytes(5)], [bytes(4)]],
    [[bytes(4), bytes(4)], [bytes(3)]],
  ];
  for (const [inputs, outputs] of cases) {
    assertThrowsCode(() => encoder.encode(inputs, outputs), "unusable");
    assertThrowsCode(() => decoder.decode(inputs, outputs), "unusable");
  }
});

function encode(
  shape: Shape,
  data: readonly Uint8Array[],
  kernel?: KernelName,
): readonly Uint8Array[] {
  const parity = Array.from(
    { length: shape.parityCount },
    () => new Uint8Array(data[0]!.length),
  );
  new Encoder(shape, kernel === undefined ? {} : { kernel })
    .encode(data, parity);
  return parity;
}
