/** The cache of small blobs: the contract of all blobs, and what it holds. */
import { Counters, type Hash, SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { blobsContract, contentOf, keep } from "@tesseras/testing/blobs";
import { verify } from "./blobs.ts";
import { MemoryBlobs } from "./memory.ts";
import { ReadCache } from "./read_cache.ts";

const { signal } = new AbortController();

blobsContract(
  "cached blobs",
  () => Promise.resolve(new ReadCache(new MemoryBlobs(), new Counters())),
);

function cached(cacheBytes: number) {
  const counters = new Counters();
  const below = new MemoryBlobs();
  const cache = new ReadCache(below, counters, {
    cacheBytes,
    blobBytesMax: 100,
  });
  const seen = (): readonly number[] => [
    counters.get("blobs.cache_hit"),
    counters.get("blobs.cache_miss"),
  ];
  return { below, cache, seen };
}

Deno.test("the blobs read last are held, as many bytes as may be", async () => {
  const { cache, seen } = cached(250);
  await using _cache = cache;
  const random = new SeededRandom(1);
  const hashes: Hash[] = [];
  for (let at = 0; at < 3; at++) {
    hashes.push((await keep(cache, random.bytes(100))).hash);
  }
  const [a, b, c] = hashes;
  const read = async (hash: Hash | undefined) => {
    const bytes = await contentOf(cache, hash!);
    assertEquals(bytes.length, 100);
    assertTrue(cache.heldBytes <= 250);
    return seen();
  };
  assertEquals(await read(a), [0, 1]);
  assertEquals(await read(a), [1, 1]);
  assertEquals(await read(b), [1, 2]);
  assertEquals(await read(a), [2, 2]);
  // The third pushes out the one used longest ago.
  assertEquals(await read(c), [2, 3]);
  assertEquals(await read(a), [3, 3]);
  assertEquals(await read(b), [3, 4]);
});

Deno.test("large blobs pass by, and what rotted is never held", async () => {
  const { cache, below, seen } = cached(1_000);
  await using _cache = cache;
  const large = await keep(cache, new Uint8Array(101));
  await contentOf(cache, large.hash);
  assertEquals(seen(), [0, 0]);
  const small = await keep(cache, new Uint8Array(10));
  below.rot(small.hash, 3);
  await contentOf(cache, small.hash);
  assertEquals(cache.heldBytes, 0);
  below.rot(small.hash, 3);
  await contentOf(cache, small.hash);
  assertEquals(cache.heldBytes, 10);
});

Deno.test("what is gone from the disk is gone, and who verifies sees the medium", async () => {
  const { cache, below } = cached(1_000);
  await using _cache = cache;
  const { hash } = await keep(cache, new Uint8Array(10));
  await contentOf(cache, hash);
  below.rot(hash, 3);
  assertEquals(await verify(cache, hash, signal), "corrupt");
  assertEquals(await contentOf(cache, hash), new Uint8Array(10));
  // As another process does.
  await below.remove(hash, signal);
  assertEquals(await cache.open(hash, signal), undefined);
  assertEquals(cache.heldBytes, 0);
});
