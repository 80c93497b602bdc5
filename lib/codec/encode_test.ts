import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { toHex } from "@tesseras/core";
import fc from "fast-check";
import { Packr } from "msgpackr/index-no-eval";
import { decode, type Decoded } from "./decode.ts";
import { encode } from "./encode.ts";

const LIMITS = { bytesMax: 1 << 20, depthMax: 8, itemsMax: 10_000 };

const text = fc.string({ unit: "binary", maxLength: 300 })
  .filter((value) => !value.startsWith("\ufeff"));
const integer = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n + 1n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) - 1n }),
);
const leaf = fc.oneof(
  integer,
  text,
  fc.uint8Array({ maxLength: 300 }),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec<{ value: Decoded }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 6 },
    leaf,
    fc.array(tie("value"), { maxLength: 20 }),
    fc.array(fc.tuple(text.filter((name) => name.length < 80), tie("value")), {
      maxLength: 20,
    }).map((entries) => new Map(entries)),
  ),
}));

Deno.test("decode() gives back what encode() was given", () => {
  fc.assert(
    fc.property(value, (given) => {
      assertEquals(decode(encode(given), LIMITS), given);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("encode() gives back every byte that decode() accepted", () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = encode(given);
      assertEquals(toHex(encode(decode(bytes, LIMITS))), toHex(bytes));
    }),
    { numRuns: 500 },
  );
});

Deno.test("encode() agrees with msgpackr wherever that one has no float", () => {
  const packr = new Packr({ useRecords: false, mapsAsObjects: false });
  const small = fc.oneof(
    fc.integer(),
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.integer(), { maxLength: 40 }),
    fc.array(fc.tuple(fc.string({ maxLength: 20 }), fc.integer()), {
      maxLength: 40,
    }).map((entries) => new Map(entries)),
  );
  fc.assert(
    fc.property(small, (given) => {
      assertEquals(toHex(encode(given)), toHex(packr.pack(given)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("encode() chooses the shortest form on both sides of every border", () => {
  const forms: readonly (readonly [number | bigint, string])[] = [
    [0, "00"],
    [-0, "00"],
    [127, "7f"],
    [128, "cc80"],
    [255, "ccff"],
    [256, "cd0100"],
    [65535, "cdffff"],
    [65536, "ce00010000"],
    [2 ** 32 - 1, "ceffffffff"],
    [2 ** 32, "cf0000000100000000"],
    [2 ** 53, "cf0020000000000000"],
    [2n ** 64n - 1n, "cfffffffffffffffff"],
    [300n, "cd012c"],
    [-1, "ff"],
    [-32, "e0"],
    [-33, "d0df"],
    [-128, "d080"],
    [-129, "d1ff7f"],
    [-32768, "d18000"],
    [-32769, "d2ffff7fff"],
    [-(2 ** 31), "d280000000"],
    [-(2 ** 31) - 1, "d3ffffffff7fffffff"],
    [-(2n ** 63n), "d38000000000000000"],
  ];
  for (const [given, hex] of forms) assertEquals(toHex(encode(given)), hex);
  const heads: readonly (readonly [string | Uint8Array, string])[] = [
    ["a".repeat(31), "bf61"],
    ["a".repeat(32), "d92061"],
    ["é".repeat(16), "d920c3"],
    ["a".repeat(255), "d9ff61"],
    ["a".repeat(256), "da0100"],
    ["a".repeat(65536), "db0001"],
    [new Uint8Array(255), "c4ff00"],
    [new Uint8Array(256), "c50100"],
    [new Uint8Array(65536), "c60001"],
  ];
  for (const [given, head] of heads) {
    assertEquals(
      toHex(encode(given).subarray(0, 3)).slice(0, head.length),
      head,
    );
  }
});

Deno.test("encode() keeps the order of names and leaves out what is undefined", () => {
  assertEquals(toHex(encode({ b: 1, a: undefined, c: 2 })), "82a16201a16302");
  assertEquals(
    toHex(encode(new Map([["2", 1], ["1", 2]]))),
    "82a13201a13102",
  );
});

Deno.test("encode() leaves the head it was asked for", () => {
  assertEquals(toHex(encode(5, 4)), "0000000005");
});

Deno.test("encode() refuses what has no encoding", () => {
  const refused = [
    0.5,
    NaN,
    Infinity,
    2 ** 53 + 2,
    2n ** 64n,
    -(2n ** 63n) - 1n,
  ];
  for (const given of refused) {
    assertThrowsCode(() => encode(given), "unusable");
  }
  for (const given of ["\ud800", "a\udc00", "\ud800a", "\ufeffa"]) {
    assertThrowsCode(() => encode(given), "unusable");
  }
  assertThrowsCode(() => encode({ ["a".repeat(256)]: 1 }), "unusable", /256/);
});

Deno.test("decode() gives maps whose names touch no prototype", () => {
  const map = decode(encode(new Map([["__proto__", 1]])), LIMITS);
  assertEquals(map, new Map([["__proto__", 1]]));
});

Deno.test("decode() leaves its argument alone and gives what outlives it", () => {
  const bytes = encode([Uint8Array.of(1, 2, 3)]);
  const decoded = decode(bytes, LIMITS);
  assertEquals(bytes, encode([Uint8Array.of(1, 2, 3)]));
  bytes.fill(0);
  assertEquals(decoded, [Uint8Array.of(1, 2, 3)]);
});
