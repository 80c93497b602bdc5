import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import {
  hash,
  keyOf,
  keyOfTessera,
  nodeId,
  parseHash,
  parseNodeId,
  parseTesseraId,
  tesseraId,
} from "./ids.ts";

Deno.test("ids have one length, and the refusal names what was wanted", () => {
  for (const length of [0, 19, 21, 32]) {
    const bytes = new Uint8Array(length);
    assertThrowsCode(
      () => nodeId(bytes),
      "malformed",
      new RegExp(`node id: ${length} bytes, wanted 20`),
    );
  }
  for (const read of [hash, tesseraId]) {
    for (const length of [0, 20, 31, 33]) {
      assertThrowsCode(() => read(new Uint8Array(length)), "malformed");
    }
  }
});

Deno.test("ids read from text of either case, and from nothing else", () => {
  const text = "00aB".repeat(10);
  assertEquals(keyOf(parseNodeId(text)), text.toLowerCase());
  const long = "0123456789abcdef".repeat(4);
  assertEquals(keyOf(parseHash(long)), long);
  assertEquals(keyOf(parseTesseraId(long)), long);
  assertThrowsCode(() => parseNodeId(long), "malformed");
  assertThrowsCode(() => parseHash(text), "malformed");
  assertThrowsCode(() => parseTesseraId(`${long}\n`), "malformed");
});

Deno.test("the key of a tessera is a copy of its first 20 bytes", () => {
  const id = tesseraId(Uint8Array.from({ length: 32 }, (_, at) => at));
  const key = keyOfTessera(id);
  assertEquals([...key], [...id.subarray(0, 20)]);
  key[0] = 99;
  assertTrue(id[0] === 0);
});
