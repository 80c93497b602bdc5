import { Validator } from "@cfworker/json-schema";
import { fromUtf8, toHex } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import {
  folderOf,
  runTool,
  sampleFiles,
  sampleInput,
  sampleKeys,
  sampleMemories,
  sampleTessera,
  writeFiles,
} from "@tesseras/testing/tessera";
import { composeTessera } from "./compose.ts";
import { META_SCHEMA } from "./meta.ts";

Deno.test("the same input and keys give the same bytes, in whatever order the memories come", () => {
  const { composed } = sampleTessera();
  const reversed = sampleInput({ memories: sampleMemories().toReversed() });
  assertEquals(composeTessera(reversed, sampleKeys), composed);
  assertEquals(toHex(composed.id), toHex(blake3(composed.manifestBytes)));
});

Deno.test("a second name for equal bytes gets a folder of its own and keeps its name", () => {
  const { files } = sampleTessera();
  const folder = folderOf(sampleFiles.get("notes/copy.txt")!);
  const nameIn = (at: string) =>
    JSON.parse(fromUtf8(files.get(`${at}/meta.json`)!)).name;
  assertEquals(nameIn(folder), "notes/copy.txt");
  assertEquals(nameIn(`${folder}-2`), "notes/sunday.txt");
});

Deno.test("every meta.json fits the schema that the tessera carries, hostile names included", () => {
  const memories = sampleMemories().map((memory, i) => ({
    ...memory,
    ...(i === 0
      ? {
        takenAt: "2026-02-14T11:00:00+01:00",
        place: { latitude: -27.5954, longitude: -48.548 },
        modifiedAtMs: -86_400_000,
        declaredOnly: true,
      }
      : { modifiedAtMs: 1e18 }),
  }));
  const { files } = sampleTessera(sampleInput({ memories }));
  const schema = JSON.parse(fromUtf8(files.get("schema/v1.json")!));
  assertEquals(schema, JSON.parse(JSON.stringify(META_SCHEMA)));
  const validator = new Validator(schema, "2020-12");
  const names = new Set<string>();
  for (const [path, bytes] of files) {
    if (!path.endsWith("meta.json")) continue;
    const meta = JSON.parse(fromUtf8(bytes));
    assertEquals(validator.validate(meta).errors, [], path);
    const { version: _, ...broken } = meta;
    assertTrue(
      !validator.validate(broken).valid,
      "the schema refuses something",
    );
    names.add(meta.name);
  }
  assertEquals(names, new Set(sampleFiles.keys()));
  const context = fromUtf8(
    files.get(`${folderOf(sampleFiles.get("garden.jpg")!)}/context.txt`)!,
  );
  assertTrue(context.includes("Taken: 2026-02-14T11:00:00+01:00"));
  assertTrue(context.includes("latitude -27.5954, longitude -48.548"));
  assertTrue(context.includes("File last changed: 1969-12-31T00:00:00Z"));
  assertTrue(context.includes("kept exactly as it was given"));
});

Deno.test("no text file of a tessera shows a hidden character, whatever names it got", () => {
  const { files } = sampleTessera();
  const hidden =
    // deno-lint-ignore no-control-regex -- what must never appear
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e]/;
  for (const [path, bytes] of files) {
    if (path.includes("/media.") || path.endsWith(".sig")) continue;
    assertTrue(!hidden.test(fromUtf8(bytes)), path);
  }
});

Deno.test("explains the formats that occur, and no others", () => {
  const { files } = sampleTessera();
  assertTrue(files.has("decode/jpeg.txt") && files.has("decode/wav.txt"));
  assertTrue(!files.has("decode/png.txt") && !files.has("decode/webm.txt"));
});

Deno.test("refuses to make a tessera of nothing, or of more than one holds", () => {
  const make = (changes: Parameters<typeof sampleInput>[0]) =>
    composeTessera(sampleInput(changes), sampleKeys);
  assertThrowsCode(
    () => make({ memories: [] }),
    "unusable",
    /there is no memory in it/,
  );
  const [first] = sampleMemories();
  const huge = { ...first!, bytes: 1_000_000_000 };
  assertThrowsCode(
    () => make({ memories: [huge] }),
    "unusable",
    /more than 1000000000 bytes/,
  );
  assertThrowsCode(
    () => make({ memories: Array(16_667).fill(first) }),
    "unusable",
    /16667 memories, allowed are/,
  );
});

Deno.test("b3sum, sha256sum and openssl agree with an exported tessera, and see a flipped byte", async () => {
  const { files } = sampleTessera();
  const folder = await Deno.makeTempDir();
  try {
    await writeFiles(folder, files);
    const tools: readonly (readonly [string, readonly string[]])[] = [
      ["b3sum", ["-c", "CHECKSUMS.b3"]],
      ["sha256sum", ["-c", "CHECKSUMS.sha256"]],
      ["openssl", opensslArgs("ed25519")],
      ...await hasMlDsa(folder)
        ? [["openssl", opensslArgs("ml-dsa-65")] as const]
        : [],
    ];
    for (const [tool, args] of tools) {
      const seen = await runTool(tool, args, folder);
      assertTrue(
        seen?.ok !== false,
        `${tool} ${args.join(" ")}: ${seen?.output}`,
      );
    }
    const manifest = files.get("MANIFEST")!.slice();
    manifest[40]! ^= 1;
    await Deno.writeFile(`${folder}/MANIFEST`, manifest);
    for (const [tool, args] of tools) {
      const seen = await runTool(tool, args, folder);
      assertTrue(seen?.ok !== true, `${tool} did not see it: ${seen?.output}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function opensslArgs(scheme: string): readonly string[] {
  return [
    ..."pkeyutl -verify -pubin -rawin -in MANIFEST -inkey".split(" "),
    `identity/creator.pub.${scheme}`,
    "-sigfile",
    `identity/signature.${scheme}.sig`,
  ];
}

/** OpenSSL knows ML-DSA from 3.5 on. */
async function hasMlDsa(folder: string): Promise<boolean> {
  const seen = await runTool("openssl", ["version"], folder);
  const [, major, minor] = /^OpenSSL (\d+)\.(\d+)/.exec(seen?.output ?? "") ??
    [];
  const knows = 100 * Number(major) + Number(minor) >= 305;
  if (!knows) {
    console.log(
      `skipped: ML-DSA-65 by openssl, which is ${seen?.output.trim()}`,
    );
  }
  return knows;
}
