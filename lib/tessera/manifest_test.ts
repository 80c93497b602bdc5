import fc from "fast-check";
import { codeOf, fromUtf8, hash, TesserasError, utf8 } from "@tesseras/core";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { sampleInput, sampleTessera } from "@tesseras/testing/tessera";
import { type Manifest, parseManifest, printManifest } from "./manifest.ts";

const { manifest, manifestBytes } = sampleTessera().composed;
const TEXT = fromUtf8(manifestBytes);

function refuses(text: string, message: RegExp): void {
  assertThrowsCode(() => parseManifest(utf8(text)), "malformed", message);
}

/** The text with its first match replaced, which must be there. */
function changed(from: string | RegExp, to: string): string {
  const text = TEXT.replace(from, to);
  assertTrue(text !== TEXT, `nothing to change for ${from}`);
  return text;
}

Deno.test("a printed manifest parses to the same facts and prints to the same bytes", () => {
  const parsed = parseManifest(manifestBytes);
  assertEquals(parsed, manifest);
  assertEquals(printManifest(parsed), manifestBytes);
  assertEquals(parsed.title, "Café \\ Sunday");
  assertEquals(parsed.createdAtMs, 1_771_066_800_000);
  assertTrue(TEXT.includes("\ntitle: Café \\\\ Sunday\n"));
});

Deno.test("keeps any title, tag and location that a person can type", () => {
  const text = fc.string({ unit: "binary", minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(
      text,
      fc.array(text, { maxLength: 5 }),
      text,
      (title, tags, location) => {
        const input: Manifest = { ...manifest, title, tags, location };
        const parsed = parseManifest(printManifest(input));
        assertEquals(parsed.title, title.toWellFormed());
        assertEquals(parsed.tags, tags.map((tag) => tag.toWellFormed()));
        assertEquals(parsed.location, location.toWellFormed());
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("keeps and ignores keys of later versions", () => {
  const text = changed(
    /\nfile: /,
    "\nopen-after: 2050-01-01T00:00:00Z\nsalt: ab\nsalt: cd\nfile: ",
  );
  const parsed = parseManifest(utf8(text));
  assertEquals(parsed.extras, [
    { key: "open-after", value: "2050-01-01T00:00:00Z" },
    { key: "salt", value: "ab" },
    { key: "salt", value: "cd" },
  ]);
  assertEquals(fromUtf8(printManifest(parsed)), text);
});

Deno.test("refuses every broken line, naming it", () => {
  refuses(
    changed("MANIFEST v1", "MANIFEST v2"),
    /line 1: wanted "TESSERA MANIFEST v1"/,
  );
  refuses("\ufeff" + TEXT, /line 1/);
  refuses(TEXT.replaceAll("\n", "\r\n"), /line 1/);
  refuses(TEXT.slice(0, -1), /its last line has no end/);
  refuses(
    changed("title: Café", "title:Café"),
    /line 2: wanted the form key: value/,
  );
  refuses(changed("title: ", "Title: "), /line 2: wanted the form/);
  refuses(changed("title: ", "title:  "), /line 2: Cannot read text/);
  refuses(changed("Sunday", "Sun\u202eday"), /line 2: .*wrong escape/);
  refuses(changed("Sunday", "Sun\\day"), /line 2: .*wrong escape/);
  refuses(
    changed(/created: .*Z/, "created: 2026-02-30T00:00:00Z"),
    /line 3: Cannot read time/,
  );
  refuses(changed("pt-BR", "pt_BR"), /line 4: "pt_BR" is not a language code/);
  refuses(
    changed("visibility: public", "visibility: open"),
    /line 8: visibility is none of public, /,
  );
  refuses(
    changed(/creator-ed25519: ../, "creator-ed25519: zz"),
    /line 9: .* is not 64 hexadecimal digits/,
  );
  refuses(changed(/creator-ed25519: ../, "creator-ed25519: "), /line 9: /);
  refuses(changed(/title: .*\n/, ""), /title is missing/);
  refuses(
    changed(/(title: .*\n)/, "$1$1"),
    /line 3: title stands twice or out of order/,
  );
  refuses(
    changed(/(created: .*\n)(language: .*\n)/, "$2$1"),
    /line 4: created stands twice or out of order/,
  );
  refuses(
    changed(/(title: .*\n)/, "later: x\n$1"),
    /line 3: title stands after a key that is not of version 1/,
  );
  refuses(TEXT + "later: x\n", /later stands after the first file/);
  refuses(changed(/\ntag: family/, "\ntag: x".repeat(65)), /more than 64 tags/);
  refuses(
    changed("Sunday", "x".repeat(1_020)),
    /line 2: title has more than 1024 bytes/,
  );
  refuses(
    changed("Sunday", "x".repeat(9_000)),
    /line 2: 90\d\d characters, allowed are 8192/,
  );
});

Deno.test("refuses every broken file line", () => {
  const path = (to: string) => changed("README.decode", to);
  refuses(path("../README"), /path "\.\.\/README" is not allowed/);
  refuses(path("/README"), /is not allowed/);
  refuses(path("a//b"), /is not allowed/);
  refuses(path("a/../b"), /is not allowed/);
  refuses(path(".hidden"), /is not allowed/);
  refuses(path("a\\b"), /is not allowed/);
  refuses(path("é"), /is not allowed/);
  refuses(path("A b"), /wanted file: /);
  refuses(path("R".repeat(101)), /is not allowed/);
  refuses(path("MANIFEST"), /MANIFEST cannot be listed/);
  refuses(path("Manifest"), /clashes with another/);
  refuses(path("CHECKSUMS.b3"), /cannot be listed/);
  refuses(path("MANIFEST/x"), /clashes with another/);
  refuses(
    changed(/(file: .* README.decode\n)/, "$1$1"),
    /stands twice or out of order/,
  );
  refuses(
    changed(/(file: .* )(README.decode\n)/, "$1$2$1README.decode/x\n"),
    /clashes with another/,
  );
  refuses(
    changed(/(file: .* )(README.decode\n)/, "$1$2$1Readme.decode\n"),
    /clashes with another/,
  );
  refuses(changed(/(file: .*\n)(file: .*\n)/, "$2$1"), /out of order/);
  refuses(changed(/ (\d+) text/, " 0$1 text"), /wanted file: /);
  refuses(changed(/ (\d+) text/, " -$1 text"), /wanted file: /);
  refuses(
    changed(/ (\d+) text/, " 1000000001 text"),
    /more than 1000000000 bytes/,
  );
  refuses(
    changed(/ (\d+) text/, " 9999999999999999 text"),
    /more than 1000000000 bytes/,
  );
  refuses(changed(/ text\/plain/, " text"), /wanted file: /);
  refuses(changed(/ text\/plain/, " Text/plain"), /wanted file: /);
  refuses(changed(/file: [0-9a-f]/, "file: G"), /wanted file: /);
  refuses(
    changed(/file: .*ed25519\n/, ""),
    /identity\/creator.pub.ed25519 is not listed/,
  );
  refuses(TEXT.replace(/file: .*media\..*\n/g, ""), /no memory is listed/);
});

Deno.test("refuses more files or bytes than a tessera holds, without slowing down", () => {
  const digest = "0".repeat(64);
  const many = Array.from(
    { length: 50_001 },
    (_, i) => `file: ${digest} 1 text/plain x/${String(i).padStart(5, "0")}`,
  );
  refuses(TEXT + many.join("\n") + "\n", /more than 50000 files/);
  refuses(
    "TESSERA MANIFEST v1\n" + "\n".repeat(1_000_000),
    /more than 51128 lines/,
  );
  assertThrowsCode(
    () => parseManifest(new Uint8Array(16 * 1024 * 1024 + 1)),
    "malformed",
    /16777217 bytes, allowed are 16777216/,
  );
});

Deno.test("any byte changed, or any tail cut off, is refused as malformed or reads as another manifest", () => {
  const bytes = fc.nat({ max: manifestBytes.length - 1 });
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bad = manifestBytes.slice();
      bad[at]! ^= flip;
      for (const input of [bad, manifestBytes.subarray(0, at)]) {
        try {
          assertEquals(printManifest(parseManifest(input)), input);
        } catch (error) {
          assertTrue(error instanceof TesserasError, String(error));
          assertEquals(codeOf(error), "malformed");
          assertTrue(error.message.startsWith("Cannot read MANIFEST: "));
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("tells the person when what they gave does not fit", () => {
  assertThrowsCode(
    () => printManifest({ ...manifest, title: "" }),
    "unusable",
    /line 2/,
  );
  assertThrowsCode(
    () => printManifest({ ...manifest, language: "deutsch!" }),
    "unusable",
    /language code/,
  );
  assertThrowsCode(
    () => printManifest({ ...manifest, tags: Array(65).fill("x") }),
    "unusable",
    /more than 64 tags/,
  );
  assertThrowsCode(
    () =>
      printManifest({
        ...manifest,
        files: [{
          path: "a b",
          bytes: 1,
          mime: "text/plain",
          blake3: hash(new Uint8Array(32)),
        }],
      }),
    "unusable",
  );
  assertThrowsCode(
    () => sampleTessera(sampleInput({ title: "x".repeat(1_025) })),
    "unusable",
    /more than 1024 bytes/,
  );
});
