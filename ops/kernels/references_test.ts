/** Fragments of ours, decoded by others where they are installed. Building one from Go takes half a minute the first time. */
import { SeededRandom, shuffled } from "@tesseras/core";
import {
  Decoder,
  Encoder,
  type KernelName,
  KERNELS,
  runs,
} from "@tesseras/erasure";
import { assertEquals } from "@tesseras/testing";
import { buildReference, decodeBy, reasonOf } from "./references.ts";

/** Both tiers, lengths that no vector divides, and a code where everything is asked of the arithmetic. */
const SHAPES = [
  { dataCount: 16, parityCount: 8, shardBytes: 10_007 },
  { dataCount: 48, parityCount: 24, shardBytes: 4_099 },
  { dataCount: 5, parityCount: 3, shardBytes: 1 },
  { dataCount: 128, parityCount: 100, shardBytes: 301 },
] as const;

const kernels = KERNELS.filter(runs);

for (const name of ["isal", "klauspost"] as const) {
  Deno.test(`${name} decodes our fragments, and we decode its`, async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "tesseras-reference-" });
    try {
      const program = await buildReference(name, folder);
      for (const shape of SHAPES) {
        const { dataCount, parityCount } = shape;
        await t.step(
          `${dataCount}+${parityCount}`,
          () => agrees(program, shape),
        );
      }
    } catch (error) {
      console.log(`skipped: ${reasonOf(error)}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

async function agrees(
  program: string,
  shape: typeof SHAPES[number],
): Promise<void> {
  const { dataCount, parityCount, shardBytes } = shape;
  const random = new SeededRandom(dataCount);
  const data = Array.from(
    { length: dataCount },
    () => random.bytes(shardBytes),
  );
  const all = Array.from(
    { length: dataCount + parityCount },
    (_, number) => number,
  );
  const theirs = await decodeBy(program, {
    ...shape,
    present: all.slice(0, dataCount),
    wanted: all.slice(dataCount),
  }, data);
  for (const kernel of kernels) {
    assertEquals(parityOf(shape, data, kernel), theirs, kernel);
  }
  const shards = [...data, ...theirs];
  const pick = (numbers: readonly number[]) =>
    numbers.map((number) => shards[number]!);
  const present = shuffled(all, random).slice(0, dataCount);
  const wanted = all.filter((number) => !present.includes(number));
  assertEquals(
    await decodeBy(program, { ...shape, present, wanted }, pick(present)),
    pick(wanted),
  );
  for (const kernel of kernels) {
    const out = wanted.map(() => new Uint8Array(shardBytes));
    new Decoder(shape, { present, wanted }, { kernel })
      .decode(pick(present), out);
    assertEquals(out, pick(wanted), kernel);
  }
}

function parityOf(
  shape: typeof SHAPES[number],
  data: readonly Uint8Array[],
  kernel: KernelName,
): readonly Uint8Array[] {
  const parity = Array.from(
    { length: shape.parityCount },
    () => new Uint8Array(shape.shardBytes),
  );
  new Encoder(shape, { kernel }).encode(data, parity);
  return parity;
}
