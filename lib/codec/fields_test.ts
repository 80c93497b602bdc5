import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { type Encodable, encode } from "./encode.ts";
import { type Fields, readFields } from "./fields.ts";

const LIMITS = { bytesMax: 4096, depthMax: 8, itemsMax: 100 };

function fieldsOf(value: Encodable): Fields {
  return readFields(encode(value), LIMITS, "thing");
}

Deno.test("Fields reads each kind up to its limit", () => {
  const fields = fieldsOf({
    count: 5,
    nonce: 2n ** 64n - 1n,
    key: Uint8Array.of(1, 2),
    name: "é€",
    open: true,
    items: [1, 2],
    inner: { count: 7 },
    extra: "ignored",
  });
  assertEquals(fields.uint("count", 5), 5);
  assertEquals(fields.u64("nonce"), 2n ** 64n - 1n);
  assertEquals(fields.u64("count"), 5n);
  assertEquals(fields.bytes("key", { exact: 2 }), Uint8Array.of(1, 2));
  assertEquals(fields.bytes("key", { max: 2 }), Uint8Array.of(1, 2));
  assertEquals(fields.text("name", 5), "é€");
  assertEquals(fields.at("open").flag(), true);
  assertEquals(fields.list("items", 2, (item) => item.uint(2)), [1, 2]);
  assertEquals(fields.map("inner").uint("count", 7), 7);
});

Deno.test("Fields refuses what is over a limit and names the field", () => {
  const fields = fieldsOf({
    count: 6,
    negative: -1,
    big: 2n ** 53n + 1n,
    key: Uint8Array.of(1, 2, 3),
    name: "é€",
    items: [1, 2, { count: 9 }],
  });
  const refused: readonly (readonly [() => unknown, RegExp])[] = [
    [() => fields.uint("count", 5), /thing\.count: 6, wanted .* 0 to 5$/],
    [() => fields.uint("negative", 5), /thing\.negative: -1/],
    [() => fields.u64("negative"), /thing\.negative: -1/],
    [() => fields.uint("big", Number.MAX_SAFE_INTEGER), /thing\.big/],
    [() => fields.bytes("key", { exact: 2 }), /thing\.key: 3 bytes, wanted 2/],
    [() => fields.bytes("key", { max: 2 }), /thing\.key: 3 bytes/],
    [() => fields.text("name", 4), /thing\.name: a text of 2 characters/],
    [
      () => fields.list("items", 2, (item) => item),
      /thing\.items: a list of 3/,
    ],
    [
      () => fields.list("items", 3, (item) => item.uint(5)),
      /thing\.items\[2\]: a map/,
    ],
  ];
  for (const [read, message] of refused) {
    assertThrowsCode(read, "malformed", message);
  }
});

Deno.test("Fields refuses the wrong type and absence, also for names of the object prototype", () => {
  const fields = fieldsOf({ count: "5", nothing: null });
  assertThrowsCode(() => fields.uint("count", 9), "malformed", /a text of 1/);
  assertThrowsCode(() => fields.uint("nothing", 9), "malformed", /nil/);
  for (const name of ["absent", "constructor", "__proto__", "toString"]) {
    assertThrowsCode(() => fields.uint(name, 9), "malformed", /absent/);
    assertThrowsCode(() => fields.map(name), "malformed", /absent/);
  }
  for (const value of [5, "text", [1], null]) {
    assertThrowsCode(() => fieldsOf(value), "malformed", /wanted a map/);
  }
});

Deno.test("Fields tells an absent optional field from a wrong one", () => {
  const fields = fieldsOf({ count: 5, nothing: null, inner: {}, name: "a" });
  assertEquals(fields.optionalUint("count", 5), 5);
  assertEquals(fields.optionalUint("absent", 5), undefined);
  assertEquals(fields.optionalBytes("absent", { max: 1 }), undefined);
  assertEquals(fields.optionalText("name", 1), "a");
  assertEquals(fields.optionalMap("inner")?.optionalText("name", 1), undefined);
  assertThrowsCode(() => fields.optionalUint("nothing", 5), "malformed", /nil/);
  assertThrowsCode(() => fields.optionalUint("count", 4), "malformed");
});
