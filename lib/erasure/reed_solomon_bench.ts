/**
 * Reed-Solomon coding of both tiers, beside the table kernel: `deno run -A lib/erasure/reed_solomon_bench.ts`. Figures
 * are megabytes of data a second on one core, copies to and from the kernel's memory included.
 */
import { rateOf, report } from "@tesseras/bench";
import { SeededRandom } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { type KernelName, KERNELS, runs } from "./product.ts";
import { Decoder, Encoder } from "./reed_solomon.ts";

const MEGABYTE = 1_000_000;
const WINDOW_BYTES = 64 * KIB;

for (const [dataCount, parityCount] of [[16, 8], [48, 24]] as const) {
  const shape = { dataCount, parityCount };
  const random = new SeededRandom(1);
  const windows = (count: number) =>
    Array.from({ length: count }, () => random.bytes(WINDOW_BYTES));
  const data = windows(dataCount);
  const parity = windows(parityCount);
  const megabytes = dataCount * WINDOW_BYTES / MEGABYTE;
  new Encoder(shape).encode(data, parity);

  const encodeRate = (kernel: KernelName) => {
    const encoder = new Encoder(shape, { kernel });
    return rateOf(() => encoder.encode(data, parity), megabytes);
  };
  /** The first `lostCount` data shards are lost, and as many parity shards stand in for them. */
  const decodeRate = (kernel: KernelName, lostCount: number) => {
    const numbers = Array.from({ length: dataCount }, (_, i) => i);
    const present = numbers.map((number) => number + lostCount);
    const wanted = numbers.slice(0, lostCount);
    const decoder = new Decoder(shape, { present, wanted }, { kernel });
    const have = [...data, ...parity].slice(lostCount, lostCount + dataCount);
    const out = windows(lostCount);
    return rateOf(() => decoder.decode(have, out), megabytes);
  };

  const works = [
    ["encode", encodeRate],
    ["decode 1 lost", (kernel: KernelName) => decodeRate(kernel, 1)],
    [
      `decode ${parityCount} lost`,
      (kernel: KernelName) => decodeRate(kernel, parityCount),
    ],
  ] as const;
  for (const [work, rate] of works) {
    const reference = { name: "table kernel", value: rate("table") };
    for (const kernel of KERNELS.filter(runs)) {
      if (kernel === "table") continue;
      const name = `${dataCount}+${parityCount} ${work}, ${kernel}`;
      report({ name, value: rate(kernel) }, "MB/s", reference);
    }
  }
}
