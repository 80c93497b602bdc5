import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  counted,
  jsonLine,
  printSeconds,
  printSize,
  visible,
} from "./printed.ts";

Deno.test("sizes have the units of the user guide and never four digits", () => {
  const printed = [
    0,
    999,
    1_000,
    12_345,
    284_000,
    999_499,
    999_500,
    4_200_000,
    1e9,
  ]
    .map(printSize);
  assertEquals(printed, [
    "0 B",
    "999 B",
    "1 KB",
    "12 KB",
    "284 KB",
    "999 KB",
    "1 MB",
    "4.2 MB",
    "1 GB",
  ]);
});

Deno.test("nothing that a terminal obeys is printed", () => {
  assertEquals(
    visible("a\x1b[31m\nb\u202egpj\u2028\u009b2J\u0000é👨‍👩‍👧"),
    "a\\u{1b}[31m\\u{a}b\\u{202e}gpj\\u{2028}\\u{9b}2J\\u{0}é👨‍👩‍👧",
  );
});

Deno.test("JSON is one line, without hidden characters, and reads back as it was", () => {
  const value = { name: "a\n\u202e\u009b\u2028é", lone: "\ud800" };
  const line = jsonLine(value);
  assertEquals(JSON.parse(line), value);
  assertEquals(visible(line.trimEnd()), line.trimEnd());
  assertTrue(line.endsWith("}\n"));
});

Deno.test("one is one and several are several", () => {
  assertEquals([0, 1, 2].map((n) => counted(n, "memory", "memories")), [
    "0 memories",
    "1 memory",
    "2 memories",
  ]);
  assertEquals([3.4, 59.6, 200].map(printSeconds), [
    "3 s",
    "1 min 0 s",
    "3 min 20 s",
  ]);
});
