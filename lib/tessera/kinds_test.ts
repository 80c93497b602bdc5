import fc from "fast-check";
import { concat, utf8 } from "@tesseras/core";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { kindOf, kindOfMime, KINDS, looksLike } from "./kinds.ts";

const SAMPLES = new URL("../../tests/samples/family_sunday/", import.meta.url);

Deno.test("knows the endings of the user guide in either case, and no other", () => {
  const kinds = ["a.jpg", "a.JPEG", "x/b.PNG", "c.wav", "d.WebM", "e.txt"]
    .map((name) => kindOf(name)?.name);
  assertEquals(kinds, ["jpeg", "jpeg", "png", "wav", "webm", "text"]);
  for (
    const name of [
      "a.gif",
      "jpg",
      ".txt",
      "x/.txt",
      "a.txt.exe",
      "a.",
      "",
      "a.constructor",
      "a.__proto__",
    ]
  ) assertEquals(kindOf(name), undefined, name);
  assertEquals(kindOf("e.txt")?.memoryType, "reflection");
  assertEquals(kindOf("a.jpg")?.memoryType, "moment");
});

Deno.test("finds every kind again by its media type", () => {
  for (const kind of KINDS) assertEquals(kindOfMime(kind.mime), kind);
  assertThrowsCode(() => kindOfMime("image/gif"), "malformed", /image\/gif/);
});

Deno.test("real files look like their own kind and like no other", async () => {
  for await (const { name } of Deno.readDir(SAMPLES)) {
    const head = (await Deno.readFile(new URL(name, SAMPLES))).subarray(
      0,
      4_096,
    );
    const own = kindOf(name)!;
    for (const kind of KINDS) {
      assertEquals(
        looksLike(kind, head),
        kind === own,
        `${name} as ${kind.name}`,
      );
    }
  }
});

Deno.test("a text is UTF-8 without NUL, where the last character may be cut off by the head", () => {
  const text = kindOf("a.txt")!;
  assertTrue(looksLike(text, new Uint8Array()));
  assertTrue(looksLike(text, utf8("\ufeffgrüße")));
  const long = utf8("a" + "é".repeat(3_000));
  assertTrue(looksLike(text, long));
  assertTrue(
    !looksLike(text, long.subarray(0, 4_000)),
    "a file may not end so",
  );
  assertTrue(!looksLike(text, Uint8Array.of(0x61, 0)));
  assertTrue(!looksLike(text, Uint8Array.of(0xff, 0xfe)));
});

Deno.test("a Matroska file that is not WebM does not look like one", () => {
  const webm = kindOf("a.webm")!;
  const head = Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3, 0x8f, 0x42, 0x82);
  const of = (size: number[], type: string) =>
    looksLike(webm, concat([head, Uint8Array.from(size), utf8(type)]));
  assertTrue(of([0x84], "webm"));
  assertTrue(of([0x40, 4], "webm"), "a size may take more bytes than it needs");
  assertTrue(of([1, 0, 0, 0, 0, 0, 0, 4], "webm"));
  assertTrue(!of([0x88], "matroska"));
  assertTrue(!of([0x85], "webmx"));
});

Deno.test("no bytes make the looking throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (head) => {
      for (const kind of KINDS) {
        assertEquals(typeof looksLike(kind, head), "boolean");
      }
    }),
  );
});
