/**
 * From a folder to fragments and back on a real disk, beside copying the same bytes with a sync:
 * `deno run -A lib/archive/fragments_bench.ts [megabytes of each pack]`.
 */
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { assert, Counters, silentLog } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";
import { creatorKeysFromSeed, nobleMlDsa } from "@tesseras/crypto";
import { MemoryState } from "@tesseras/state";
import type { Plan } from "@tesseras/tessera";
import { Archive } from "./archive.ts";
import { Assembly } from "./assembly.ts";
import { scanFolder } from "./folder_scan.ts";

const CHUNK_BYTES = 64 * 1024;
const FILE_MEGABYTES = 16;
const never = new AbortController().signal;
const keys = creatorKeysFromSeed(new Uint8Array(32).fill(7));
const runtime = {
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  counters: new Counters(),
};

/** 16 + 8 and 48 + 24. */
const sizes = Deno.args.length > 0 ? Deno.args.map(Number) : [256, 288];
for (const megabytes of sizes) await measure(megabytes);

async function measure(megabytes: number): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "tesseras-bench-" });
  try {
    const bytes = await writeFolder(`${root}/folder`, megabytes);
    const copyMs = await timed(() => copyFolder(root));
    const line = (name: string, ms: number): void =>
      print(`${name}.${megabytes}MB`, bytes / ms / 1e3, bytes / copyMs / 1e3);
    await using near = await open(`${root}/near`);
    const folder = await scanFolder(`${root}/folder`, never);
    const order = {
      folder,
      keepPlaces: true,
      title: "bench",
      createdAtMs: 0,
      language: "en",
      tags: [],
      visibility: "public" as const,
    };
    const create = async () =>
      (await near.archive.create(order, keys, () => {}, never)).id;
    const made = await resultOf(create);
    line("create", made.ms);
    const prepared = await resultOf(() =>
      near.archive.prepare(made.value, keys, () => {}, never)
    );
    line("prepare", prepared.ms);
    const plan = prepared.value;
    await using far = await open(`${root}/far`);
    await using assembly = await Assembly.open(far.blobs, plan, never);
    // The worst case: as many data fragments lost as there are parity ones.
    const { parityCount, dataCount } = plan;
    line(
      "receive",
      await timed(async () => {
        for (
          let index = parityCount;
          index < parityCount + dataCount;
          index++
        ) {
          await move(near.archive, assembly, plan, index);
        }
      }),
    );
    const rebuilt = await resultOf(() => assembly.finish(never));
    line("rebuild", rebuilt.ms);
    line(
      "import",
      await timed(() => far.archive.importPack(rebuilt.value, plan, never)),
    );
    const rss = Deno.memoryUsage().rss / 1e6;
    print(`memory.${megabytes}MB`, rss, megabytes, "MB");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function open(folder: string) {
  const blobs = await openDiskBlobs(folder, never);
  const state = new MemoryState();
  const archive = new Archive({ state, blobs, suite: nobleMlDsa, runtime });
  return {
    archive,
    blobs,
    [Symbol.asyncDispose]: () => blobs[Symbol.asyncDispose](),
  };
}

async function writeFolder(path: string, megabytes: number): Promise<number> {
  await Deno.mkdir(path);
  const content = new Uint8Array(FILE_MEGABYTES * 1e6);
  let bytes = 0;
  for (let at = 0; bytes < megabytes * 1e6; at++) {
    for (let from = 0; from < content.length; from += 65_536) {
      crypto.getRandomValues(content.subarray(from, from + 65_536));
    }
    await Deno.writeFile(`${path}/${at}.wav`, content);
    bytes += content.length;
  }
  return bytes;
}

async function copyFolder(root: string): Promise<void> {
  await Deno.mkdir(`${root}/copy`);
  for await (const { name } of Deno.readDir(`${root}/folder`)) {
    using from = await Deno.open(`${root}/folder/${name}`);
    using to = await Deno.create(`${root}/copy/${name}`);
    const chunk = new Uint8Array(1e6);
    for (let count; (count = await from.read(chunk)) !== null;) {
      await to.write(chunk.subarray(0, count));
    }
    await to.sync();
  }
  await Deno.remove(`${root}/copy`, { recursive: true });
}

async function move(
  archive: Archive,
  assembly: Assembly,
  plan: Plan,
  index: number,
): Promise<void> {
  await using fragment = await archive.openFragment(plan, index, never);
  assert(fragment, "every fragment is at hand");
  await using sink = await assembly.begin(index, never);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < fragment.bytes;) {
    const count = await fragment.read(at, chunk, never);
    await sink.write(chunk.subarray(0, count), never);
    at += count;
  }
  await sink.finish(never);
}

async function resultOf<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly ms: number }> {
  const startMs = performance.now();
  const value = await work();
  return { value, ms: performance.now() - startMs };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  return (await resultOf(work)).ms;
}

function print(
  name: string,
  value: number,
  reference: number,
  unit = "MB/s",
): void {
  const referenceName = unit === "MB/s" ? "copy with sync" : "pack";
  console.log(JSON.stringify({
    name: `archive.${name}`,
    value: Math.round(value),
    unit,
    reference: { name: referenceName, value: Math.round(reference) },
    ratio: Number((value / reference).toFixed(2)),
  }));
}
