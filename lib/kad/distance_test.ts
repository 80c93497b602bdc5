import fc from "fast-check";
import { compare, nodeId, SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  BUCKET_COUNT,
  bucketIndex,
  closer,
  distance,
  randomIdInBucket,
} from "./distance.ts";

const anyId = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(nodeId);
/** Ids that agree in a long prefix: what a table's near buckets, and an attacker, are made of. */
const nearIds = fc.tuple(anyId, fc.nat(159), fc.nat()).map(
  ([id, index, seed]) =>
    [id, randomIdInBucket(id, index, new SeededRandom(seed)), index] as const,
);

/** Big integers are the definition we compare with. */
function number(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = value << 8n | BigInt(byte);
  return value;
}

Deno.test("distance() is the XOR of the ids as big-endian numbers", () => {
  fc.assert(fc.property(anyId, anyId, (a, b) => {
    assertEquals(number(distance(a, b)), number(a) ^ number(b));
  }));
});

Deno.test("closer() orders as the distances do, and calls only equal ids equally near", () => {
  fc.assert(fc.property(anyId, nearIds, (target, [a, b]) => {
    const expected = compare(distance(target, a), distance(target, b));
    assertEquals(Math.sign(closer(target, a, b)), Math.sign(expected));
    assertEquals(
      Math.sign(closer(target, b, a)),
      Math.sign(-expected) + 0,
    );
    assertTrue(closer(target, a, b) !== 0);
    assertEquals(closer(target, a, nodeId(a.slice())), 0);
  }));
});

Deno.test("bucketIndex() is the highest bit of the distance", () => {
  fc.assert(fc.property(nearIds, ([self, other]) => {
    const bits = number(distance(self, other)).toString(2).length;
    assertEquals(bucketIndex(self, other), bits - 1);
  }));
});

Deno.test("bucketIndex() of one's own id is -1", () => {
  fc.assert(fc.property(anyId, (id) => {
    assertEquals(bucketIndex(id, nodeId(id.slice())), -1);
  }));
});

Deno.test("randomIdInBucket() draws from exactly the bucket asked for, in every bucket", () => {
  const random = new SeededRandom(5);
  const self = nodeId(random.bytes(20));
  const before = self.slice();
  for (let index = 0; index < BUCKET_COUNT; index++) {
    for (let draw = 0; draw < 8; draw++) {
      const id = randomIdInBucket(self, index, random);
      assertEquals(bucketIndex(self, id), index);
    }
  }
  assertEquals(self, nodeId(before));
});

Deno.test("randomIdInBucket() keeps the zeros of work in every bucket below them", () => {
  const powBits = 16;
  const random = new SeededRandom(7);
  const self = nodeId(random.bytes(20).fill(0, 0, powBits / 8));
  for (let index = 0; index < BUCKET_COUNT - powBits; index++) {
    const id = randomIdInBucket(self, index, random);
    assertEquals([id[0], id[1]], [0, 0]);
  }
  const beyond = randomIdInBucket(self, BUCKET_COUNT - powBits, random);
  assertTrue(beyond[1] !== 0);
});

Deno.test("randomIdInBucket() reaches both ends of a bucket's range", () => {
  const random = new SeededRandom(6);
  const self = nodeId(new Uint8Array(20));
  const seen = new Set<number>();
  for (let draw = 0; draw < 200; draw++) {
    seen.add(randomIdInBucket(self, 2, random)[19]!);
  }
  assertEquals([...seen].sort((a, b) => a - b), [4, 5, 6, 7]);
});
