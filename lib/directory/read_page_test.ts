import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import * as fc from "fast-check";
import { codeOf, utf8 } from "@tesseras/core";
import {
  DIRECTORY_PAGE_BYTES_MAX,
  NODE_RECORD_BYTES_MAX,
  SOURCE_PEERS_MAX,
} from "@tesseras/core/limits";
import { fromBase64url, toBase64url } from "./base64url.ts";
import { readDirectoryPage } from "./read_page.ts";

const read = (page: unknown) => readDirectoryPage(utf8(JSON.stringify(page)));

Deno.test("bytes survive base64url, and no other text passes for them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const text = toBase64url(bytes);
    assertTrue(/^[\w-]*$/.test(text));
    assertEquals(fromBase64url(text), bytes);
  }));
  // Padding, the other alphabet, a space, a lone letter, bits beyond the last byte.
  for (const text of ["AA==", "+/+/", "AA AA", "A", "AB"]) {
    assertEquals(fromBase64url(text), undefined, text);
  }
});

Deno.test("a page of another kind is refused with the reason", () => {
  const wrong: readonly (readonly [Uint8Array, RegExp])[] = [
    [utf8(""), /no JSON/],
    [utf8("<html>"), /no JSON/],
    [Uint8Array.of(0xff), /not UTF-8/],
    [utf8("null"), /no object/],
    [utf8('{"v":2,"peers":[]}'), /not version 1/],
    [utf8('{"v":1}'), /no list of peers/],
    [utf8('{"v":1,"peers":{}}'), /no list of peers/],
    [new Uint8Array(DIRECTORY_PAGE_BYTES_MAX + 1), /131073 bytes/],
  ];
  for (const [bytes, message] of wrong) {
    assertThrowsCode(() => readDirectoryPage(bytes), "malformed", message);
  }
});

Deno.test("entries that hold no record are counted, and so is what comes beyond the bound", () => {
  const peers = [
    { record: "AAAA" },
    null,
    "AAAA",
    {},
    { record: 7 },
    { record: "****" },
    { record: toBase64url(new Uint8Array(NODE_RECORD_BYTES_MAX + 1)) },
  ];
  const page = read({ v: 1, peers, unknown: {} });
  assertEquals(page, { records: [new Uint8Array(3)], refusedCount: 6 });
  const flood = read({ v: 1, peers: Array(900).fill({ record: "AAAA" }) });
  assertEquals(flood.records.length, SOURCE_PEERS_MAX);
  assertEquals(flood.refusedCount, 900 - SOURCE_PEERS_MAX);
});

Deno.test("no bytes whatever do more than be refused", () => {
  const pages = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map(utf8),
    fc.jsonValue().map((peers) => utf8(JSON.stringify({ v: 1, peers }))),
    fc.array(fc.jsonValue()).map((peers) =>
      utf8(JSON.stringify({ v: 1, peers }))
    ),
  );
  fc.assert(fc.property(pages, (bytes) => {
    try {
      const { records } = readDirectoryPage(bytes);
      assertTrue(records.every((one) => one.length <= NODE_RECORD_BYTES_MAX));
    } catch (error) {
      assertEquals(codeOf(error), "malformed");
    }
  }));
});
