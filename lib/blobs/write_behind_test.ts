import { concat, equal, TesserasError } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { BLOCK_BYTES } from "./blobs.ts";
import { WriteBehind } from "./write_behind.ts";

const LARGEST_BYTES = 1_400 * KIB;

Deno.test("whatever the chunks, all bytes are written once and in order, in few pieces", async () => {
  const source = new Uint8Array(LARGEST_BYTES).map((_, at) => at * 31 + at / 7);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(LARGEST_BYTES), { maxLength: 6 }),
      async (sizes) => {
        const written: Uint8Array[] = [];
        let running = 0;
        const behind = new WriteBehind(async (piece) => {
          assertEquals(++running, 1, "one write at a time");
          await Promise.resolve();
          written.push(piece.slice());
          running--;
        });
        const chunk = new Uint8Array(LARGEST_BYTES);
        for (const size of sizes) {
          chunk.set(source);
          await behind.push(chunk.subarray(0, size));
          // It was borrowed: what happens to it now must not be seen.
          chunk.fill(0xdb);
        }
        await behind.flush();
        const sent = sizes.map((size) => source.subarray(0, size));
        assertTrue(equal(concat(written), concat(sent)));
        assertTrue(written.length <= 2 * sizes.length + 1);
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("wherever it begins, every large piece but the last lies on whole blocks", async () => {
  const offset = fc.nat(3 * BLOCK_BYTES);
  const sizes = fc.array(fc.nat(LARGEST_BYTES), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(offset, sizes, async (offset, sizes) => {
      const pieces: { readonly at: number; readonly bytes: number }[] = [];
      let end = offset;
      const behind = new WriteBehind((piece) => {
        pieces.push({ at: end, bytes: piece.length });
        end += piece.length;
        return Promise.resolve();
      }, offset);
      for (const size of sizes) await behind.push(new Uint8Array(size));
      await behind.flush();
      assertEquals(end, offset + sizes.reduce((sum, size) => sum + size, 0));
      for (const { at } of pieces.slice(1)) assertEquals(at % BLOCK_BYTES, 0);
    }),
    { numRuns: 40 },
  );
});

Deno.test("a failed write is told by the next call, and by every one after it", async () => {
  const behind = new WriteBehind(() =>
    Promise.reject(new TesserasError("diskFull", "Cannot write: no space"))
  );
  await behind.push(new Uint8Array(10 * KIB));
  await behind.push(new Uint8Array(30 * KIB));
  await assertRejectsCode(behind.flush(), "diskFull");
  await assertRejectsCode(behind.flush(), "diskFull");
  await assertRejectsCode(behind.push(new Uint8Array(600 * KIB)), "diskFull");
  await behind.settled();
});

Deno.test("the caller goes on while a piece is written, and waits when two are full", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const behind = new WriteBehind(() => promise);
  const chunk = new Uint8Array(16 * KIB);
  // A small first piece, which is being written from here on, and all but a chunk of a large one.
  for (let gathered = 0; gathered < 32 + 496; gathered += 16) {
    await behind.push(chunk);
  }
  let isDone = false;
  const last = behind.push(chunk).then(() => {
    isDone = true;
  });
  await new Promise((next) => setTimeout(next, 0));
  assertTrue(!isDone);
  resolve();
  await last;
  await behind.flush();
});
