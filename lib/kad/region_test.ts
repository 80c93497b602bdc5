import { assertEquals, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { keyOf, type NodeId, nodeId, SeededRandom } from "@tesseras/core";
import { BUCKET_PEERS_MAX } from "@tesseras/core/limits";
import type { Contact } from "./bucket.ts";
import { closer } from "./distance.ts";
import { minted, mintedNear, POW_BITS } from "./minted_for_tests.ts";
import {
  CROWDED_BELOW,
  expectedWithin,
  isCrowded,
  isWithin,
  keepersOf,
  placeOf,
  prefixOf,
  regionOf,
  samePrefix,
  siblingOf,
} from "./region.ts";

const contactOf = (id: NodeId, subnet?: string): Contact => ({
  id,
  capabilities: 0,
  ...(subnet !== undefined && { subnet }),
});

function nearest(ids: readonly NodeId[], key: NodeId): NodeId[] {
  return ids.toSorted((a, b) => closer(key, a, b)).slice(0, BUCKET_PEERS_MAX);
}

const ids20 = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(nodeId);

Deno.test("a region holds 20 to 40 nodes by expectation, all of a small network, and the place of its key", () => {
  fc.assert(
    fc.property(ids20, fc.double({ min: 1, max: 1e9, noNaN: true }), (
      key,
      size,
    ) => {
      const around = { size, powBits: POW_BITS };
      const region = regionOf(key, around);
      const expected = expectedWithin(region, around);
      assertTrue(isWithin(region, placeOf(key, POW_BITS)));
      if (size < 40) return assertEquals(region.length, POW_BITS);
      // The logarithm rounds where a size is a hair below a power of two.
      assertTrue(
        expected > 19.999 && expected < 40.001,
        `${expected} expected`,
      );
    }),
  );
});

Deno.test("a prefix and its sibling are the two halves of a prefix, and nothing else", () => {
  fc.assert(
    fc.property(ids20, ids20, fc.integer({ min: 1, max: 160 }), (
      a,
      b,
      length,
    ) => {
      const half = prefixOf(a, length);
      const other = siblingOf(half);
      const whole = prefixOf(a, length - 1);
      assertEquals(
        isWithin(half, b) || isWithin(other, b),
        isWithin(whole, b),
      );
      assertTrue(!(isWithin(half, b) && isWithin(other, b)));
      assertTrue(samePrefix(siblingOf(other), half));
    }),
  );
});

Deno.test("chance alone is taken for a crowd once in a thousand neighbourhoods, with a size that errs by a fifth once in a hundred", () => {
  const random = new SeededRandom(6);
  let [exact, small] = [0, 0];
  const keys = 4_000;
  for (let net = 0; net < 8; net++) {
    const ids = Array.from({ length: 500 }, () => minted(random));
    for (let i = 0; i < keys / 8; i++) {
      const key = nodeId(random.bytes(20));
      const near = nearest(ids, key);
      const judge = (size: number) =>
        isCrowded(key, near, { size, powBits: POW_BITS });
      if (judge(500)) exact++;
      if (judge(400)) small++;
    }
  }
  assertTrue(exact <= keys / 1_000, `${exact} of ${keys}`);
  assertTrue(small <= keys / 100, `${small} of ${keys}`);
});

Deno.test("twenty ground next to a key are a crowd; what is no crowd leaves honest nodes among the nearest", () => {
  const random = new SeededRandom(7);
  const size = 2_000;
  const ids = Array.from({ length: size }, () => minted(random));
  const around = { size, powBits: POW_BITS };
  let denied = 0;
  for (let i = 0; i < 60; i++) {
    const key = nodeId(random.bytes(20));
    // From next to the key to where chance would put the nearest 40.
    for (const bits of [30, 14, 10, 9, 8, 7, 6]) {
      const ground = Array.from(
        { length: 20 },
        () => mintedNear(random, key, bits),
      );
      const near = nearest([...ids, ...ground], key);
      const crowded = isCrowded(key, near, around);
      if (bits >= 10) assertTrue(crowded, `${bits} bits pass for chance`);
      const bad = new Set(ground.map(keyOf));
      if (!crowded && near.every((id) => bad.has(keyOf(id)))) denied++;
    }
  }
  assertEquals(denied, 0);
  assertTrue(CROWDED_BELOW < BUCKET_PEERS_MAX);
});

Deno.test("fewer than k nodes are everybody and no crowd", () => {
  const key = nodeId(new Uint8Array(20));
  const ids = Array.from({ length: BUCKET_PEERS_MAX - 1 }, () => key);
  assertTrue(!isCrowded(key, ids, { size: 5, powBits: 0 }));
});

Deno.test("a record goes to the twenty nearest by chance, and to the whole region of a crowded key", () => {
  const random = new SeededRandom(8);
  const size = 640;
  const around = { size, powBits: POW_BITS };
  const key = nodeId(random.bytes(20));
  const region = regionOf(key, around);
  const honest = Array.from({ length: size }, () => contactOf(minted(random)))
    .filter(({ id }) => isWithin(region, id));
  const plain = keepersOf(key, honest, around);
  assertEquals(
    plain.map(({ id }) => keyOf(id)),
    nearest(honest.map(({ id }) => id), key).map(keyOf),
  );
  const ground = Array.from(
    { length: 20 },
    () => contactOf(mintedNear(random, key, 20)),
  );
  const all = keepersOf(key, [...honest, ...ground], around);
  assertEquals(all.length, honest.length + ground.length);
});

Deno.test("of more than may keep a record no part of the region and no subnet is left out for a crowd elsewhere", () => {
  const random = new SeededRandom(9);
  const around = { size: 640, powBits: POW_BITS };
  const key = nodeId(random.bytes(20));
  const region = regionOf(key, around);
  const honest: Contact[] = [];
  while (honest.length < 30) {
    const id = minted(random);
    if (isWithin(region, id)) honest.push(contactOf(id, `h${honest.length}`));
  }
  // All of one subnet, and nearly all of one part.
  const crowd = Array.from({ length: 400 }, (_, i) =>
    contactOf(
      mintedNear(random, key, i < 300 ? 16 : 5),
      `10.0.${i % 4}.0/24`,
    ));
  const chosen = keepersOf(key, [...crowd, ...honest], {
    ...around,
    peersMax: 200,
  });
  assertEquals(chosen.length, 200);
  const keys = new Set(chosen.map(({ id }) => keyOf(id)));
  assertEquals(keys.size, 200);
  const missed = honest.filter(({ id }) => !keys.has(keyOf(id))).length;
  assertTrue(missed <= 3, `${missed} of 30 left out`);
  const again = keepersOf(key, [...honest, ...crowd], {
    ...around,
    peersMax: 200,
  });
  assertEquals(again.slice(0, 20), chosen.slice(0, 20));
});
