/** How fast blobs become durable, beside bare files of the same bytes that are neither hashed nor named. */
import { mapBounded, SeededRandom } from "@tesseras/core";
import { GIB, KIB, MIB } from "@tesseras/core/limits";
import { report } from "@tesseras/bench";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Blobs } from "./blobs.ts";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();
const SMALL_COUNT = 1_000;
const SMALL_BYTES = 32 * KIB;
const IN_FLIGHT = 256;

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1_000;
}

/** Writes chunks to a bare file and syncs it. */
async function writeBare(
  path: string,
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  const file = await open(path, "wx");
  let at = 0;
  for (const chunk of chunks) {
    at += (await file.write(chunk, 0, chunk.length, at)).bytesWritten;
  }
  await file.sync();
  await file.close();
}

async function keep(
  blobs: Blobs,
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  await using writer = await blobs.create(signal);
  for (const chunk of chunks) await writer.write(chunk, signal);
  await writer.commit(signal);
}

async function benchSmall(blobs: Blobs, folder: string): Promise<void> {
  const random = new SeededRandom(1);
  const contents = Array.from({ length: SMALL_COUNT }, (_, at) => {
    const content = new Uint8Array(SMALL_BYTES).fill(at);
    content.set(random.bytes(16));
    return content;
  });
  const bare = await secondsOf(() =>
    mapBounded(
      contents.entries(),
      IN_FLIGHT,
      ([at, content]) => writeBare(join(folder, `small ${at}`), [content]),
      signal,
    )
  );
  const kept = await secondsOf(() =>
    mapBounded(contents, IN_FLIGHT, (each) => keep(blobs, [each]), signal)
  );
  report(
    { name: "blobs, 32 KiB durable", value: SMALL_COUNT / kept },
    "commits/s",
    { name: "bare files, synced", value: SMALL_COUNT / bare },
  );
}

async function benchLarge(blobs: Blobs, folder: string): Promise<void> {
  const chunk = new SeededRandom(2).bytes(MIB);
  const chunks = Array.from({ length: GIB / MIB }, () => chunk);
  const path = join(folder, "large");
  const bare = await secondsOf(() => writeBare(path, chunks));
  await Deno.remove(path);
  const kept = await secondsOf(() => keep(blobs, chunks));
  report(
    { name: "blobs, 1 GiB hashed and durable", value: GIB / 1e6 / kept },
    "MB/s",
    { name: "bare file, synced", value: GIB / 1e6 / bare },
  );
}

const folder = await Deno.makeTempDir({ prefix: "tesseras_bench_" });
try {
  await using blobs = await openDiskBlobs(join(folder, "blobs"), signal);
  await benchSmall(blobs, folder);
  await benchLarge(blobs, folder);
} finally {
  await Deno.remove(folder, { recursive: true });
}
