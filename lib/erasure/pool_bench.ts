/**
 * Coding of whole shards in threads, beside the caller's thread alone: `deno run -A lib/erasure/pool_bench.ts`. Figures
 * are megabytes of data a second, filling the rows from memory included; best of eight runs that take turns.
 */
import { report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { openCodingPool } from "./pool.ts";
import {
  codeHere,
  type EmptyRow,
  type RowCoder,
  WINDOW_BYTES_DEFAULT,
} from "./rows.ts";

const PACK_BYTES = 768 * MIB;
const RUNS = 8;
const { signal } = new AbortController();

const noise = new SeededRandom(1).bytes(WINDOW_BYTES_DEFAULT);
using one = await openCodingPool({ threadCount: 1 }, signal);
using two = await openCodingPool({ threadCount: 2 }, signal);
const coders = [codeHere, one, two];

for (const [dataCount, parityCount] of [[16, 8], [48, 24]] as const) {
  const shape = { dataCount, parityCount };
  const best = coders.map(() => 0);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, coder] of coders.entries()) {
      best[i] = Math.max(best[i]!, await rate(coder, shape));
    }
  }
  for (const [i, threads] of [[1, "one thread"], [2, "two threads"]] as const) {
    report(
      {
        name: `${dataCount}+${parityCount} rows, ${threads}`,
        value: best[i]!,
      },
      "MB/s",
      { name: "the caller's thread", value: best[0]! },
    );
  }
}

async function rate(
  coder: RowCoder,
  shape: { readonly dataCount: number; readonly parityCount: number },
): Promise<number> {
  const shardBytes = Math.ceil(PACK_BYTES / shape.dataCount);
  const fill = ({ inputs, bytes }: EmptyRow) => {
    for (const input of inputs) input.set(noise.subarray(0, bytes));
    return Promise.resolve();
  };
  const startMs = performance.now();
  for await (const _ of coder.code({ shape, shardBytes, fill }, signal));
  return PACK_BYTES / (performance.now() - startMs) / 1e3;
}
