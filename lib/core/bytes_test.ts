import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import {
  compare,
  concat,
  equal,
  equalConstantTime,
  fromHex,
  fromUtf8,
  toHex,
  u32be,
  u64be,
  utf8,
} from "./bytes.ts";

const bytes = fc.uint8Array({ maxLength: 40 });

Deno.test("concat() joins in order and copies", () => {
  fc.assert(fc.property(fc.array(bytes), (parts) => {
    const joined = concat(parts);
    assertEquals([...joined], parts.flatMap((part) => [...part]));
  }));
  const part = Uint8Array.of(1);
  const joined = concat([part]);
  part[0] = 2;
  assertEquals(joined[0], 1);
});

Deno.test("both comparisons agree with each other, and with a sorted order", () => {
  fc.assert(fc.property(bytes, bytes, (a, b) => {
    const isSame = toHex(a) === toHex(b);
    assertEquals(equal(a, b), isSame);
    assertEquals(equalConstantTime(a, b), isSame);
    assertEquals(compare(a, b) === 0, isSame);
    assertEquals(Math.sign(compare(a, b)), -Math.sign(compare(b, a)));
    const [x, y] = [toHex(a), toHex(b)];
    assertEquals(Math.sign(compare(a, b)), x < y ? -1 : x > y ? 1 : 0);
  }));
});

Deno.test("equalConstantTime() sees a difference at every place, and a longer array", () => {
  const a = new Uint8Array(64);
  for (let at = 0; at < 64; at++) {
    const b = a.slice();
    b[at] = 1;
    assertEquals(equalConstantTime(a, b), false);
  }
  // What is missing counts as zero, so only the length tells these apart.
  assertEquals(equalConstantTime(a, new Uint8Array(65)), false);
  assertEquals(
    equalConstantTime(new Uint8Array(256), new Uint8Array(0)),
    false,
  );
});

Deno.test("hexadecimal reads back, in either case", () => {
  fc.assert(fc.property(bytes, (value) => {
    assertEquals(fromHex(toHex(value)), value);
    assertEquals(fromHex(toHex(value).toUpperCase()), value);
  }));
});

Deno.test("fromHex() refuses what is none, with a short sentence", () => {
  for (const text of ["0", "0g", "0x00", " 00", "00\n", "é0", "٠٠"]) {
    assertThrowsCode(() => fromHex(text), "malformed", /^Cannot read/);
  }
  assertThrowsCode(
    () => fromHex("z".repeat(1_000_000)),
    "malformed",
    /^.{0,200}$/,
  );
});

Deno.test("fromUtf8() keeps every text as it is, a byte order mark too", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    if (text.isWellFormed()) assertEquals(fromUtf8(utf8(text)), text);
  }));
  assertEquals(fromUtf8(utf8("\ufeffx")), "\ufeffx");
});

Deno.test("fromUtf8() refuses overlong forms, surrogates, cut letters and stray bytes", () => {
  for (const hex of ["c080", "eda080", "e282", "ff", "80", "f4908080"]) {
    assertThrowsCode(() => fromUtf8(fromHex(hex)), "malformed");
  }
});

Deno.test("numbers are written big-endian", () => {
  assertEquals(toHex(u32be(0x0102_0304)), "01020304");
  assertEquals(toHex(u32be(0xffff_ffff)), "ffffffff");
  assertEquals(toHex(u64be(0x0102_0304_0506_0708n)), "0102030405060708");
  assertTrue(compare(u64be(2n ** 63n), u64be(2n ** 63n - 1n)) > 0);
});
