/**
 * Reed-Solomon beside Intel's ISA-L on one core: `deno run -A ops/kernels/isal_bench.ts [KIB of a window ...]`. Figures
 * are megabytes of data a second; ours include the copies to and from the kernel's memory, ISA-L's need none. Rounds take
 * turns and the best of each counts, since noise only ever slows down.
 */
import { report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import {
  Decoder,
  Encoder,
  type KernelName,
  KERNELS,
  runs,
} from "@tesseras/erasure";
import {
  buildReference,
  reasonOf,
  ReferenceRate,
  type ReferenceTask,
} from "./references.ts";

const ROUNDS = 120;
const ROUND_MS = 10;
/** One that stays in the second cache, and the one that packs are coded in. */
const WINDOWS_KIB = [64, 256];

const windows = Deno.args.length > 0 ? Deno.args.map(Number) : WINDOWS_KIB;
const folder = await Deno.makeTempDir({ prefix: "tesseras-isal-" });
try {
  const program = await buildReference("isal", folder);
  for (const [dataCount, parityCount] of [[16, 8], [48, 24]] as const) {
    for (const kib of windows) {
      await compare(program, { dataCount, parityCount }, kib * KIB);
    }
  }
} catch (error) {
  console.error(`isal_bench: nothing measured: ${reasonOf(error)}`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function compare(
  program: string,
  shape: { readonly dataCount: number; readonly parityCount: number },
  shardBytes: number,
): Promise<void> {
  const { dataCount, parityCount } = shape;
  const numbers = (count: number, first: number) =>
    Array.from({ length: count }, (_, i) => first + i);
  const kernels = KERNELS.filter((kernel) =>
    kernel !== "table" && runs(kernel)
  );
  const encoding = {
    work: "encode",
    present: numbers(dataCount, 0),
    wanted: numbers(parityCount, dataCount),
  };
  // The first data shards are lost, and parity stands in for them.
  const decoding = {
    work: `reconstruct ${parityCount} lost`,
    present: numbers(dataCount, parityCount),
    wanted: numbers(parityCount, 0),
  };
  for (const { work, present, wanted } of [encoding, decoding]) {
    const task = { ...shape, shardBytes, present, wanted };
    const ours = kernels.map((kernel) => coding(work, task, kernel));
    const best = await bestRates(program, task, ours);
    kernels.forEach((kernel, i) =>
      report(
        {
          name: `${dataCount}+${parityCount} ${work}, ${kernel}, ${
            shardBytes / KIB
          } KiB windows`,
          value: best.ours[i]!,
        },
        "MB/s",
        { name: "ISA-L ec_encode_data", value: best.theirs },
      )
    );
  }
}

/** Codes once. */
function coding(
  work: string,
  task: ReferenceTask,
  kernel: KernelName,
): () => void {
  const random = new SeededRandom(1);
  const have = task.present.map(() => random.bytes(task.shardBytes));
  const out = task.wanted.map(() => new Uint8Array(task.shardBytes));
  if (work === "encode") {
    const encoder = new Encoder(task, { kernel });
    return () => encoder.encode(have, out);
  }
  const decoder = new Decoder(task, task, { kernel });
  return () => decoder.decode(have, out);
}

async function bestRates(
  program: string,
  task: ReferenceTask,
  ours: readonly (() => void)[],
): Promise<{ readonly theirs: number; readonly ours: readonly number[] }> {
  await using reference = new ReferenceRate(program, task);
  const best = ours.map(() => 0);
  let theirs = 0;
  const megabytes = task.dataCount * task.shardBytes / 1e6;
  for (let round = 0; round < ROUNDS; round++) {
    theirs = Math.max(theirs, await reference.round());
    ours.forEach((code, i) => {
      best[i] = Math.max(best[i]!, rateOfRound(code, megabytes));
    });
  }
  return { theirs, ours: best };
}

function rateOfRound(code: () => void, megabytes: number): number {
  // Once untimed: the other program has had the caches since.
  code();
  const startMs = performance.now();
  let tookMs = 0;
  let calls = 0;
  for (; tookMs < ROUND_MS; tookMs = performance.now() - startMs, calls++) {
    code();
  }
  return calls * megabytes / tookMs * 1e3;
}
