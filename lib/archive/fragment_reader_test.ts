import type { ByteSource } from "@tesseras/tessera";
import { never, noise } from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { readExactly, readShard } from "./fragment_reader.ts";

const content = noise(1000, 41);

/** A pack that gives at most seven bytes a call, and may end early. */
function packOf(bytes: number, ends = bytes): ByteSource {
  return {
    bytes,
    read: (offset, into) => {
      const part = content.subarray(offset, Math.min(ends, offset + 7))
        .subarray(0, into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

Deno.test("readShard() gives the pack's bytes, then zeros, whatever the buffer held", async () => {
  const cut = { pack: packOf(1000), shardBytes: 300 };
  const into = new Uint8Array(400).fill(0xaa);
  assertEquals(
    await readShard(cut, { index: 3, offset: 0, into }, never),
    300,
  );
  assertEquals(into.subarray(0, 100), content.subarray(900));
  assertEquals(into.subarray(100, 300), new Uint8Array(200));
  assertEquals(into.subarray(300), new Uint8Array(100).fill(0xaa));
  assertEquals(
    await readShard(cut, { index: 4, offset: 0, into }, never),
    300,
  );
  assertEquals(into.subarray(0, 300), new Uint8Array(300));
  const past = { index: 1, offset: 301, into };
  assertEquals(await readShard(cut, past, never), 0);
});

Deno.test("readExactly() goes on until the buffer is full, and says where a pack ends early", async () => {
  const into = new Uint8Array(100);
  await readExactly(packOf(1000), 50, into, never);
  assertEquals(into, content.slice(50, 150));
  await assertRejectsCode(
    readExactly(packOf(1000, 90), 50, into, never),
    "corrupt",
    /^Cannot read pack: it ends after 90 of 1000 bytes$/,
  );
});
