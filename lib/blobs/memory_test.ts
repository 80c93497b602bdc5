/** Blobs in memory: the contract, and the two ways of failing that simulations use. */
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { blobsContract, keep, listed } from "@tesseras/testing/blobs";
import { verify } from "./blobs.ts";
import { MemoryBlobs } from "./memory.ts";

const { signal } = new AbortController();

blobsContract("MemoryBlobs", () => Promise.resolve(new MemoryBlobs()));

Deno.test("MemoryBlobs is full when its bytes are used up, and takes more after a removal", async () => {
  await using blobs = new MemoryBlobs({ freeBytes: 100 });
  const first = await keep(blobs, new Uint8Array(60));
  await assertRejectsCode(keep(blobs, new Uint8Array(41)), "diskFull", /40/);
  await assertRejectsCode(blobs.scratch(41, signal), "diskFull");
  assertEquals(await blobs.freeBytes(signal), 40);
  await blobs.remove(first.hash, signal);
  assertEquals(await blobs.freeBytes(signal), 100);
  await keep(blobs, new Uint8Array(100));
  assertEquals((await listed(blobs)).length, 1);
});

Deno.test("MemoryBlobs gives back the room of what was not kept, kept twice, or scratch", async () => {
  await using blobs = new MemoryBlobs({ freeBytes: 100 });
  const content = new Uint8Array(30);
  await keep(blobs, content);
  const { hash } = await keep(blobs, content);
  {
    await using _scratch = await blobs.scratch(10, signal);
    await using writer = await blobs.create(signal);
    await writer.write(new Uint8Array(20), signal);
    await assertRejectsCode(writer.commit(signal, hash), "corrupt");
    await using dropped = await blobs.create(signal);
    await dropped.write(new Uint8Array(20), signal);
  }
  assertEquals(await blobs.freeBytes(signal), 70);
});

Deno.test("verify notices a single bit that rotted", async () => {
  await using blobs = new MemoryBlobs();
  const { hash } = await keep(blobs, new Uint8Array(5_000));
  blobs.rot(hash, 4_999);
  assertEquals(await verify(blobs, hash, signal), "corrupt");
  await keep(blobs, new Uint8Array(5_000));
  assertEquals(await verify(blobs, hash, signal), "ok");
});
