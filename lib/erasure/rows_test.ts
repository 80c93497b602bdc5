import { concat, equal, SeededRandom, shuffled, utf8 } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { largeInThreads, openCodingPool } from "./pool.ts";
import { Encoder } from "./reed_solomon.ts";
import { codeHere, type EmptyRow, type RowCoder, type RowJob } from "./rows.ts";
import type { Shape } from "./shape.ts";

const never = new AbortController().signal;
const SHAPE = { dataCount: 5, parityCount: 3 } as const;

/** The same claims for both places where rows are coded. */
const PLACES = [
  { place: "here", open: () => openCodingPool({ threadCount: 0 }, never) },
  { place: "threads", open: () => openCodingPool({ threadCount: 2 }, never) },
] as const;

Deno.test("gives the same parity of a large job, which has threads, as of a small one", async () => {
  const coder = largeInThreads({ threadCount: 2 });
  const shape = { dataCount: 4, parityCount: 1 };
  for (const shardBytes of [1_001, 9 * 1_048_576]) {
    const data = shards(4, shardBytes, new SeededRandom(shardBytes));
    const job = { shape, shardBytes, windowBytes: 262_144, fill: from(data) };
    const [seen] = await codeAll(coder, job);
    const [wanted] = parityOf(shape, data);
    // Compared as bytes: a difference of megabytes would be printed one by one.
    assertTrue(equal(seen!, wanted!));
  }
});

for (const { place, open } of PLACES) {
  Deno.test(`codes shards of any length as one window would be, ${place}`, async () => {
    using coder = await open();
    const jobs = fc.record({
      dataCount: fc.integer({ min: 1, max: 12 }),
      parityCount: fc.integer({ min: 0, max: 6 }),
      shardBytes: fc.integer({ min: 0, max: 3_000 }),
      windowBytes: fc.integer({ min: 1, max: 1_000 }).map((n) => n + 200),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(jobs, async ({ seed, shardBytes, ...job }) => {
        const random = new SeededRandom(seed);
        const data = shards(job.dataCount, shardBytes, random);
        const parity = parityOf(job, data);
        assertEquals(
          await codeAll(coder, {
            shape: job,
            shardBytes,
            windowBytes: job.windowBytes,
            fill: from(data),
          }),
          parity,
        );
        const all = [...data, ...parity];
        const numbers = shuffled(all.map((_, number) => number), random);
        const present = numbers.slice(0, job.dataCount);
        const wanted = numbers.slice(job.dataCount);
        assertEquals(
          await codeAll(coder, {
            shape: job,
            plan: { present, wanted },
            shardBytes,
            windowBytes: job.windowBytes,
            fill: from(present.map((number) => all[number]!)),
          }),
          wanted.map((number) => all[number]!),
        );
      }),
      { numRuns: 40 },
    );
  });

  Deno.test(`fills row after row, and no further ahead than it may, ${place}`, async () => {
    using coder = await open();
    const data = shards(5, 1_000, new SeededRandom(1));
    let filling = 0;
    const filled: number[] = [];
    let given = 0;
    const fill = async (row: EmptyRow) => {
      assertEquals(++filling, 1);
      filled.push(row.offset);
      assertTrue(filled.length - given <= coder.threadCount + 2);
      await from(data)(row);
      filling--;
    };
    const job = { shape: SHAPE, shardBytes: 1_000, windowBytes: 10, fill };
    for await (const { offset } of coder.code(job, never)) {
      assertEquals(offset, 10 * given++);
    }
    assertEquals(filled, Array.from({ length: 100 }, (_, i) => 10 * i));
    assertEquals(given, 100);
  });

  Deno.test(`several jobs share a coder, ${place}`, async () => {
    using coder = await open();
    const jobs = Array.from({ length: 7 }, (_, i) => {
      const shape = { dataCount: 3 + i, parityCount: 1 + i % 3 };
      const data = shards(shape.dataCount, 5_000, new SeededRandom(i));
      return { shape, data };
    });
    const coded = await Promise.all(
      jobs.map(({ shape, data }) =>
        codeAll(coder, {
          // What a caller has beside the numbers stays with the caller.
          shape: Object.assign({ name: () => "tier" }, shape),
          shardBytes: 5_000,
          windowBytes: 700,
          fill: from(data),
        })
      ),
    );
    assertEquals(coded, jobs.map(({ shape, data }) => parityOf(shape, data)));
  });

  Deno.test(`stops when told, and fills nothing after, ${place}`, async () => {
    using coder = await open();
    const stop = new AbortController();
    let filling = 0;
    const fill = async (row: EmptyRow, signal: AbortSignal) => {
      filling++;
      // Somebody who hears of it late, and still writes until then.
      await new Promise((resolve) => setTimeout(resolve, 1));
      row.inputs[0]!.fill(1);
      filling--;
      assertTrue(filling === 0);
      signal.throwIfAborted();
    };
    const job = { shape: SHAPE, shardBytes: 10_000, windowBytes: 10, fill };
    const run = async () => {
      let rows = 0;
      for await (const _ of coder.code(job, stop.signal)) {
        if (++rows === 3) stop.abort();
      }
    };
    await assertRejectsCode(run(), "cancelled");
    assertEquals(filling, 0);
    await assertRejectsCode(
      coder.code(job, stop.signal).next(),
      "cancelled",
    );
  });

  Deno.test(`ends early when nobody wants more, and works again, ${place}`, async () => {
    using coder = await open();
    const data = shards(5, 900, new SeededRandom(3));
    const job = {
      shape: SHAPE,
      shardBytes: 900,
      windowBytes: 100,
      fill: from(data),
    };
    for await (const { offset } of coder.code(job, never)) {
      if (offset === 200) break;
    }
    assertEquals(await codeAll(coder, job), parityOf(SHAPE, data));
  });

  Deno.test(`throws what filling threw, after the rows before it, ${place}`, async () => {
    using coder = await open();
    const data = shards(5, 100, new SeededRandom(4));
    const fill = async (row: EmptyRow) => {
      if (row.offset === 30) throw new RangeError("the disk is gone");
      await from(data)(row);
    };
    let rows = 0;
    try {
      const job = { shape: SHAPE, shardBytes: 100, windowBytes: 10, fill };
      for await (const _ of coder.code(job, never)) rows++;
    } catch (error) {
      assertTrue(error instanceof RangeError);
    }
    assertEquals(rows, 3);
  });

  Deno.test(`refuses what cannot be before anything is filled, ${place}`, async () => {
    using coder = await open();
    const fill = () => Promise.reject(new Error("nothing is to be filled"));
    const shapes: readonly Shape[] = [
      { dataCount: 0, parityCount: 1 },
      { dataCount: 200, parityCount: 1 },
    ];
    for (const shape of shapes) {
      const rows = coder.code({ shape, shardBytes: 1, fill }, never);
      await assertRejectsCode(rows.next(), "unusable", /^Cannot code /);
    }
    const plan = { present: [0, 1, 2, 3, 3], wanted: [4] };
    const rows = coder.code({ shape: SHAPE, plan, shardBytes: 1, fill }, never);
    await assertRejectsCode(rows.next(), "unusable", /^Cannot decode/);
  });
}

Deno.test("refuses threads that cannot be", async () => {
  for (const threadCount of [-1, 1.5, NaN, 17]) {
    await assertRejectsCode(openCodingPool({ threadCount }, never), "unusable");
  }
  await assertRejectsCode(
    openCodingPool({ threadCount: 1 }, AbortSignal.abort()),
    "cancelled",
  );
});

Deno.test("codes in the caller's thread where no other may be started", async () => {
  // Without leave to read files a process can load no worker.
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
      "-",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(utf8(`
    import { openCodingPool } from "@tesseras/erasure/pool";
    const { signal } = new AbortController();
    const pool = await openCodingPool({ threadCount: 2 }, signal);
    const fill = (row) => Promise.resolve(row.inputs[0].fill(7));
    const shape = { dataCount: 1, parityCount: 1 };
    for await (const row of pool.code({ shape, shardBytes: 3, fill }, signal)) {
      console.log(pool.threadCount, row.outputs[0].join());
    }
  `));
  await writer.close();
  const { stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "0 7,7,7\n");
});

Deno.test("a job ends with an error when its pool is closed", async () => {
  const pool = await openCodingPool({ threadCount: 1 }, never);
  const data = shards(5, 100, new SeededRandom(6));
  const rows = pool.code(
    { shape: SHAPE, shardBytes: 100, windowBytes: 10, fill: from(data) },
    never,
  );
  await rows.next();
  pool[Symbol.dispose]();
  await assertRejectsCode(
    (async () => {
      for await (const _ of rows);
    })(),
    "cancelled",
  );
});

Deno.test("counts the threads it has", async () => {
  using none = await openCodingPool({ threadCount: 0 }, never);
  using two = await openCodingPool({ threadCount: 2 }, never);
  assertEquals([none.threadCount, two.threadCount], [0, 2]);
  assertTrue(none.code === codeHere.code);
});

function shards(
  count: number,
  bytes: number,
  random: SeededRandom,
): readonly Uint8Array[] {
  return Array.from({ length: count }, () => random.bytes(bytes));
}

function parityOf(
  shape: Shape,
  data: readonly Uint8Array[],
): readonly Uint8Array[] {
  const parity = Array.from(
    { length: shape.parityCount },
    () => new Uint8Array(data[0]!.length),
  );
  new Encoder(shape, { kernel: "table" }).encode(data, parity);
  return parity;
}

/** Fills a row from shards in memory. */
function from(all: readonly Uint8Array[]) {
  return ({ offset, bytes, inputs }: EmptyRow): Promise<void> => {
    inputs.forEach((input, i) =>
      input.set(all[i]!.subarray(offset, offset + bytes))
    );
    return Promise.resolve();
  };
}

/** All outputs, joined. */
async function codeAll(
  coder: RowCoder,
  job: RowJob,
): Promise<readonly Uint8Array[]> {
  const { shape, plan } = job;
  const parts: Uint8Array[][] = Array.from(
    { length: plan?.wanted.length ?? shape.parityCount },
    () => [],
  );
  for await (const { outputs } of coder.code(job, never)) {
    outputs.forEach((output, i) => parts[i]!.push(output.slice()));
  }
  return parts.map(concat);
}
