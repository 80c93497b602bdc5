/** Commits blobs for ever, eight at a time, and prints the hash of each that was acknowledged. Run by disk_crash_test.ts. */
import { SeededRandom, toHex } from "@tesseras/core";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();
const [folder, seed] = Deno.args;
const random = new SeededRandom(Number(seed));
const encoder = new TextEncoder();
await using blobs = await openDiskBlobs(folder!, signal);

async function keepForEver(): Promise<never> {
  for (;;) {
    await using writer = await blobs.create(signal);
    const chunks = 1 + random.below(4);
    for (let chunk = 0; chunk < chunks; chunk++) {
      await writer.write(random.bytes(1 + random.below(20_000)), signal);
    }
    const { hash } = await writer.commit(signal);
    Deno.stdout.writeSync(encoder.encode(toHex(hash) + "\n"));
  }
}

await Promise.all(Array.from({ length: 8 }, keepForEver));
