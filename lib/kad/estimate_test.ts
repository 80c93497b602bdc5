import { assertEquals, assertTrue } from "@tesseras/testing";
import { type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { BUCKET_PEERS_MAX, BUCKET_REFRESH_MS } from "@tesseras/core/limits";
import { closer } from "./distance.ts";
import { shareWithin, SizeEstimate } from "./estimate.ts";
import { minted, POW_BITS } from "./minted_for_tests.ts";

function nearest(ids: readonly NodeId[], target: NodeId): NodeId[] {
  return ids.toSorted((a, b) => closer(target, a, b))
    .slice(0, BUCKET_PEERS_MAX);
}

Deno.test("the bits that work makes zero say nothing of a share, whatever the key begins with", () => {
  const key = nodeId(new Uint8Array(20).fill(0xff));
  const id = nodeId(new Uint8Array(20));
  assertEquals(shareWithin(key, id, 0), 1);
  assertEquals(shareWithin(key, id, 12), 1);
  const half = key.slice();
  half[0] = 0;
  half[1] = 0x07;
  assertEquals(shareWithin(key, nodeId(half), 12), 0.5);
  assertEquals(shareWithin(key, key, 12), 0);
});

Deno.test("from twenty lookups the size is known within a fifth, with work or without", () => {
  for (const count of [200, 2_000]) {
    const random = new SeededRandom(count);
    const ids = Array.from({ length: count }, () => minted(random));
    const estimate = new SizeEstimate(POW_BITS);
    for (let i = 0; i < 20; i++) {
      const target = nodeId(random.bytes(20));
      const sighted = nearest(ids, target);
      estimate.observe({ target, ids: sighted, isEverybody: false, nowMs: 0 });
    }
    const size = estimate.size(0)!;
    assertTrue(Math.abs(size / count - 1) < 0.2, `${size} of ${count}`);
  }
});

Deno.test("where fewer are found than looked for, they are all", () => {
  const random = new SeededRandom(3);
  const estimate = new SizeEstimate(POW_BITS);
  const ids = Array.from({ length: 7 }, () => minted(random));
  const target = nodeId(random.bytes(20));
  estimate.observe({ target, ids, isEverybody: true, nowMs: 0 });
  assertEquals(estimate.size(0), 7);
});

Deno.test("a crowd at one key, looked at a thousand times, moves nothing; and for that key it is not heard at all", () => {
  const random = new SeededRandom(4);
  const ids = Array.from({ length: 1_000 }, () => minted(random));
  const estimate = new SizeEstimate(POW_BITS);
  for (let i = 0; i < 16; i++) {
    const target = nodeId(random.bytes(20));
    const sighted = nearest(ids, target);
    estimate.observe({ target, ids: sighted, isEverybody: false, nowMs: 0 });
  }
  const before = estimate.size(0)!;
  const key = minted(random);
  const ground = Array.from({ length: 20 }, () => {
    const id = random.bytes(20);
    id.set(key.subarray(0, 6));
    return nodeId(id);
  });
  for (let i = 0; i < 1_000; i++) {
    const sighted = nearest(ground, key);
    estimate.observe({
      target: key,
      ids: sighted,
      isEverybody: false,
      nowMs: 0,
    });
  }
  assertTrue(estimate.size(0)! < 1.3 * before);
  const alone = new SizeEstimate(POW_BITS);
  alone.observe({ target: key, ids: ground, isEverybody: false, nowMs: 0 });
  assertEquals(alone.size(0, key), undefined);
  assertEquals([alone.voiceCount(0), alone.voiceCount(0, key)], [1, 0]);
});

Deno.test("what was seen long ago, nobody, or too few to tell is not counted", () => {
  const random = new SeededRandom(5);
  const estimate = new SizeEstimate(POW_BITS);
  const target = nodeId(random.bytes(20));
  const ids = Array.from({ length: 4 }, () => minted(random));
  estimate.observe({ target, ids, isEverybody: false, nowMs: 0 });
  estimate.observe({ target, ids: [], isEverybody: true, nowMs: 0 });
  assertEquals(estimate.size(0), undefined);
  estimate.observe({ target, ids, isEverybody: true, nowMs: 0 });
  assertEquals(estimate.size(2 * BUCKET_REFRESH_MS - 1), 4);
  assertEquals(estimate.size(2 * BUCKET_REFRESH_MS), undefined);
});

Deno.test("peers that claim the very key leave a number that can be reckoned with", () => {
  const estimate = new SizeEstimate(0);
  const target = nodeId(new Uint8Array(20));
  const ids = Array.from({ length: 20 }, () => target);
  estimate.observe({ target, ids, isEverybody: false, nowMs: 0 });
  assertTrue(Number.isFinite(estimate.size(0)!));
});
