/** Fills the small disk it is given, and prints what came of it. Run by the tests of disk.ts. */
import { codeOf, SeededRandom, type TesserasError } from "@tesseras/core";
import { verify } from "./blobs.ts";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();
const random = new SeededRandom(1);
await using blobs = await openDiskBlobs(`${Deno.args[0]}/blobs`, signal);

async function keep(bytes: number) {
  await using writer = await blobs.create(signal);
  await writer.write(random.bytes(bytes), signal);
  return await writer.commit(signal);
}

async function failure(
  work: () => Promise<unknown>,
): Promise<TesserasError["code"] | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

const first = await keep(300_000);
const write = await failure(() => keep(900_000));
const scratch = await failure(async () => {
  await using file = await blobs.scratch(2_000_000, signal);
  await file.write(0, random.bytes(900_000), signal);
});
const entries = await Array.fromAsync(blobs.list(signal));
const keptBefore = await verify(blobs, first.hash, signal);
// What failed took its room with it.
const second = await keep(300_000);
const keptAfter = await verify(blobs, second.hash, signal);
console.log(JSON.stringify({
  write,
  scratch,
  keptBefore,
  listed: entries.length,
  keptAfter,
}));
