import fc from "fast-check";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { escapeText, printVisibleJson, unescapeText } from "./visible_text.ts";

const texts = fc.string({ unit: "binary", maxLength: 60 });
// deno-lint-ignore no-control-regex -- what must never appear
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028]/;

Deno.test("any text becomes one visible line and comes back", () => {
  fc.assert(fc.property(texts, (text) => {
    const line = escapeText(text);
    assertTrue(!HIDDEN.test(line), JSON.stringify(line));
    assertTrue(!line.startsWith(" ") && !line.endsWith(" "));
    assertEquals(unescapeText(line), text.toWellFormed());
  }));
});

Deno.test("ordinary text of any script stays as it is", () => {
  for (
    const text of [
      "Café à noite",
      "שבת שלום",
      "家族の午後",
      "👩‍👩‍👧 2026",
      "a, b; c: d",
    ]
  ) assertEquals(escapeText(text), text);
});

Deno.test("refuses lines that escaping would have written otherwise", () => {
  for (
    const line of [
      "\\",
      "a\\q",
      "\\u{41}",
      "\\u{0a}",
      "\\u{A}",
      "\\u{110000}",
      "\\u{d800}",
      "\\u{",
      " a",
      "a ",
      "a\tb",
      "a\u202eb",
    ]
  ) assertThrowsCode(() => unescapeText(line), "malformed", /wrong escape/);
});

Deno.test("JSON shows no hidden character and parses to the same value", () => {
  fc.assert(fc.property(texts, (text) => {
    const json = printVisibleJson({ text });
    assertTrue(!HIDDEN.test(json.replaceAll("\n", "")), json);
    assertEquals(JSON.parse(json), { text });
  }));
});
