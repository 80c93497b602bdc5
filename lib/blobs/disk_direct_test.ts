import { equal } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { BLOCK_BYTES } from "./blobs.ts";
import { DIRECT_BYTES_MIN, DirectHandle } from "./disk_direct.ts";

const LARGEST_BYTES = 1_300 * KIB;

/** Runs with a file of these bytes. */
async function withFile(
  content: Uint8Array,
  work: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "tesseras_direct_" });
  try {
    await Deno.writeFile(path, content);
    await work(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Bytes that differ everywhere. */
function pattern(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, at) => at * 31 + at / 251);
}

Deno.test("past the cache the same bytes are read, wherever and however many", async () => {
  const content = pattern(LARGEST_BYTES + 777);
  await withFile(content, async (path) => {
    using handle = await DirectHandle.open(path, "read");
    if (handle === undefined) {
      return console.log("skipped: this file system has no direct access");
    }
    const range = fc.tuple(fc.nat(content.length), fc.nat(LARGEST_BYTES));
    await fc.assert(
      fc.asyncProperty(range, async ([offset, bytes]) => {
        const into = new Uint8Array(bytes);
        const count = await handle.read(offset, into);
        const wanted = content.subarray(offset, offset + bytes);
        if (bytes < DIRECT_BYTES_MIN) assertEquals(count, 0);
        else assertEquals(count, wanted.length);
        assertTrue(equal(into.subarray(0, count), wanted.subarray(0, count)));
      }),
      { numRuns: 40 },
    );
  });
});

Deno.test("past the cache only whole blocks are written, the rest is left to the caller", async () => {
  await withFile(new Uint8Array(), async (path) => {
    using handle = await DirectHandle.open(path, "write");
    if (handle === undefined) {
      return console.log("skipped: this file system has no direct access");
    }
    const chunk = pattern(DIRECT_BYTES_MIN + BLOCK_BYTES + 5);
    assertEquals(await handle.write(3, chunk), 0, "not at a block");
    assertEquals(await handle.write(0, chunk.subarray(0, BLOCK_BYTES)), 0);
    const whole = DIRECT_BYTES_MIN + BLOCK_BYTES;
    assertEquals(await handle.write(2 * BLOCK_BYTES, chunk), whole);
    const seen = await Deno.readFile(path);
    assertEquals(seen.length, 2 * BLOCK_BYTES + whole);
    assertTrue(
      equal(seen.subarray(2 * BLOCK_BYTES), chunk.subarray(0, whole)),
    );
  });
});

Deno.test("more transfers at once than there are pieces of memory wait for their turn", async () => {
  const content = pattern(LARGEST_BYTES);
  await withFile(content, async (path) => {
    using handle = await DirectHandle.open(path, "read");
    if (handle === undefined) {
      return console.log("skipped: this file system has no direct access");
    }
    const read = handle;
    const all = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const into = new Uint8Array(content.length);
        await read.read(0, into);
        return equal(into, content);
      }),
    );
    assertTrue(all.every(Boolean));
  });
});

Deno.test("a file that is not there by that name is left to the common way", async () => {
  assertEquals(
    await DirectHandle.open("/nowhere/at/all", "read"),
    undefined,
  );
});
