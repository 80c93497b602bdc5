import { concat, equal, TesserasError } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { readAhead } from "./read_ahead.ts";

const never = new AbortController().signal;
const SOURCE = new Uint8Array(900 * KIB).map((_, at) => at * 31 + at / 7);

/** Reads of the source, some shorter than asked for. */
function readerOf(source: Uint8Array, mostBytes = Infinity) {
  return {
    async read(offset: number, into: Uint8Array): Promise<number> {
      await Promise.resolve();
      const part = source.subarray(
        offset,
        offset + Math.min(into.length, mostBytes),
      );
      into.set(part);
      return part.length;
    },
  };
}

Deno.test("gives exactly the range, whatever the reader brings at once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(SOURCE.length),
      fc.nat(SOURCE.length),
      fc.integer({ min: 50 * KIB, max: 900 * KIB }),
      async (a, b, mostBytes) => {
        const [offset, end] = [Math.min(a, b), Math.max(a, b)];
        const range = { offset, length: end - offset };
        const parts: Uint8Array[] = [];
        const reader = readerOf(SOURCE, mostBytes);
        for await (const part of readAhead(reader, range, never)) {
          parts.push(part.slice());
          // It was lent: writing into it must not be seen in what comes next.
          part.fill(0xdb);
        }
        assertTrue(equal(concat(parts), SOURCE.subarray(offset, end)));
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("ends where the reader ends", async () => {
  let bytes = 0;
  const range = { offset: 10, length: 2 * SOURCE.length };
  for await (const part of readAhead(readerOf(SOURCE), range, never)) {
    bytes += part.length;
  }
  assertEquals(bytes, SOURCE.length - 10);
});

Deno.test("a caller that leaves early leaves no read behind", async () => {
  let running = 0;
  const reader = {
    async read(offset: number, into: Uint8Array): Promise<number> {
      running++;
      const count = await readerOf(SOURCE).read(offset, into);
      running--;
      return count;
    },
  };
  const range = { offset: 0, length: SOURCE.length };
  for await (const _ of readAhead(reader, range, never)) break;
  assertEquals(running, 0);
});

Deno.test("tells what the reader threw, in its turn", async () => {
  const reader = {
    read: (offset: number, into: Uint8Array) =>
      offset === 0
        ? readerOf(SOURCE).read(offset, into)
        : Promise.reject(new TesserasError("corrupt", "Cannot read: rotten")),
  };
  const range = { offset: 0, length: SOURCE.length };
  const pieces = readAhead(reader, range, never);
  assertTrue((await pieces.next()).value);
  await assertRejectsCode(pieces.next(), "corrupt");
});
