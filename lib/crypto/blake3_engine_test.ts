import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { concat, SeededRandom, toHex } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  CHUNK_BYTES,
  engine,
  PLAIN,
  VALUE_BYTES,
  WINDOW_BYTES,
} from "./blake3_engine.ts";

const noise = new SeededRandom(5).bytes(WINDOW_BYTES);

Deno.test("builds the root from chunks and nodes one by one", () => {
  for (let chunkCount = 2; chunkCount <= 64; chunkCount++) {
    const length = chunkCount * CHUNK_BYTES - chunkCount * 13 % 1000;
    const input = noise.subarray(0, length);
    const valueOf = (from: number, to: number): Uint8Array => {
      const bytes = input.subarray(from * CHUNK_BYTES, to * CHUNK_BYTES);
      if (to - from === 1) return valueOfSubtree(bytes, from);
      const middle = from + leftChunks(to - from);
      const pair = concat([valueOf(from, middle), valueOf(middle, to)]);
      engine().parent(pair, 0, PLAIN);
      return pair.slice(0, VALUE_BYTES);
    };
    const middle = leftChunks(chunkCount);
    const pair = concat([valueOf(0, middle), valueOf(middle, chunkCount)]);
    assertEquals(
      toHex(engine().rootOfPair(pair, PLAIN, 32)),
      toHex(nobleBlake3(input)),
    );
  }
});

Deno.test("climbs to the same value as its own nodes do", () => {
  for (let chunkCount = 2; chunkCount <= 64; chunkCount++) {
    const bytes = noise.subarray(0, chunkCount * CHUNK_BYTES);
    const values = new Uint8Array(2 * VALUE_BYTES);
    const place = { firstChunk: 64, keep: 2, values, at: 0 } as const;
    engine().subtree(bytes, PLAIN, place);
    engine().parent(values, 0, PLAIN);
    assertEquals(values.slice(0, VALUE_BYTES), valueOfSubtree(bytes, 64));
  }
});

Deno.test("writes what it keeps and nothing around it", () => {
  for (const length of [1, 1024, 1025, 5000]) {
    for (const keep of [1, 2] as const) {
      const values = new Uint8Array(200).fill(0xaa);
      const place = { firstChunk: 0, keep, values, at: 32 } as const;
      engine().subtree(noise.subarray(0, length), PLAIN, place);
      const kept = length > CHUNK_BYTES ? keep * VALUE_BYTES : VALUE_BYTES;
      assertTrue(values.subarray(0, 32).every((byte) => byte === 0xaa));
      assertTrue(values.subarray(32 + kept).every((byte) => byte === 0xaa));
    }
  }
});

Deno.test("tells apart chunks whose numbers differ only above 32 bits", () => {
  // An incomplete chunk takes another path through the kernel than a whole one.
  for (const length of [CHUNK_BYTES, CHUNK_BYTES - 1]) {
    const chunk = noise.subarray(0, length);
    const values = [0, 2 ** 32, 2 ** 33].map((firstChunk) =>
      toHex(valueOfSubtree(chunk, firstChunk))
    );
    assertEquals(new Set(values).size, 3);
  }
});

Deno.test("makes output of any length from any input", () => {
  for (const length of [0, 1, 64, 65, 128, 1000, 1024, 1025, 5000]) {
    const input = noise.subarray(0, length);
    for (const outBytes of [1, 32, 63, 64, 65, 128, 1000]) {
      const made = length <= CHUNK_BYTES
        ? engine().rootOfChunk(input, PLAIN, outBytes)
        : engine().rootOfWindow(input, PLAIN, outBytes);
      const wanted = nobleBlake3(input, { dkLen: outBytes });
      assertEquals(toHex(made), toHex(wanted));
    }
  }
});

Deno.test("finds its key words again after a wipe", () => {
  const input = noise.subarray(0, 3000);
  const before = engine().rootOfWindow(input, PLAIN, 32);
  engine().wipe();
  assertEquals(engine().rootOfWindow(input, PLAIN, 32), before);
});

/** The chaining value of a subtree. */
function valueOfSubtree(bytes: Uint8Array, firstChunk: number): Uint8Array {
  const values = new Uint8Array(VALUE_BYTES);
  engine().subtree(bytes, PLAIN, { firstChunk, keep: 1, values, at: 0 });
  return values;
}

/** Chunks of the left side of a tree: the largest power of two that leaves something for the right (2.1). */
function leftChunks(count: number): number {
  let left = 1;
  while (2 * left < count) left *= 2;
  return left;
}
