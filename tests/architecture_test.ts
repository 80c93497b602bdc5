/** The picture in docs/ARCHITECTURE.md and the imports in lib/ say the same, both ways. */
import { assertEquals, assertTrue } from "@tesseras/testing";

const ROOT = new URL("../", import.meta.url);
const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\b[^;"]*?(?:from\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"/g;
/** Entries that touch the world; only programs and tests open them. */
const ADAPTERS = [
  "@tesseras/archive/folder",
  "@tesseras/blobs/disk",
  "@tesseras/core/system",
  "@tesseras/crypto/native",
  "@tesseras/directory/kv",
  "@tesseras/erasure/pool",
  "@tesseras/net/quic",
  "@tesseras/net/sim",
  "@tesseras/relay/datagrams",
  "@tesseras/relay/kernel",
  "@tesseras/relay/kv",
  "@tesseras/relay/open",
  "@tesseras/state/libsql",
];
const TEST = /_(test|bench)\.ts$|_for_tests\.ts$/;

type Import = {
  readonly file: string;
  readonly folder: string;
  readonly specifier: string;
};

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    if (entry.isDirectory) yield* sources(`${folder}${entry.name}/`);
    else if (entry.name.endsWith(".ts") && !TEST.test(entry.name)) {
      yield `${folder}${entry.name}`;
    }
  }
}

async function importsOf(top: string): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of sources(`${top}/`)) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    for (const match of text.matchAll(SPECIFIER)) {
      const specifier = match[1] ?? match[2]!;
      found.push({ file, folder: file.split("/")[1]!, specifier });
    }
  }
  return found;
}

async function drawnArrows(): Promise<Set<string>> {
  const text = await Deno.readTextFile(new URL("docs/ARCHITECTURE.md", ROOT));
  const picture = /```mermaid\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const arrows = new Set<string>();
  for (const match of picture.matchAll(/^\s*(\w+) --> ([\w &]+?)\s*$/gm)) {
    for (const target of match[2]!.split("&")) {
      arrows.add(`${match[1]} --> ${target.trim()}`);
    }
  }
  return arrows;
}

Deno.test("every import between folders of lib/ is an arrow of the picture, and every arrow an import", async () => {
  const found = new Set<string>();
  for (const { folder, specifier } of await importsOf("lib")) {
    const target = /^@tesseras\/([^/]+)/.exec(specifier)?.[1];
    if (target === undefined || target === folder) continue;
    if (target !== "core") found.add(`${folder} --> ${target}`);
  }
  assertTrue(found.size > 10, "the search finds imports at all");
  assertEquals([...found].sort(), [...await drawnArrows()].sort());
});

Deno.test("the arrows of the picture make no circle", async () => {
  const arrows = [...await drawnArrows()].map((a) => a.split(" --> "));
  const left = new Set(arrows.flat());
  for (;;) {
    const free = [...left].filter((folder) =>
      !arrows.some(([from, to]) => from === folder && left.has(to!))
    );
    if (free.length === 0) break;
    for (const folder of free) left.delete(folder);
  }
  assertEquals([...left], []);
});

Deno.test("a folder of lib/ is entered by its name, never by a path out of another", async () => {
  const climbing = (await importsOf("lib")).filter(({ specifier }) =>
    specifier.startsWith("../")
  );
  assertEquals(climbing, []);
  const own = (await importsOf("lib")).filter(({ specifier, file, folder }) =>
    specifier === "./mod.ts" || specifier === `@tesseras/${folder}` &&
      !file.endsWith("_test.ts")
  );
  assertEquals(own, []);
});

Deno.test("ARCHITECTURE.md gives every file of lib/net its place, once", async () => {
  const document = await Deno.readTextFile(
    new URL("docs/ARCHITECTURE.md", ROOT),
  );
  const [, map = ""] = document.split(/<!-- \/?net -->/);
  const placed = Array.from(map.matchAll(/`(\w+)`/g), ([, name]) => name!);
  const files: string[] = [];
  for await (const { name } of Deno.readDir(new URL("lib/net/", ROOT))) {
    if (/^mod\.ts$|_(?:test|tests|bench)\.ts$/.test(name)) continue;
    files.push(name.replace(".ts", ""));
  }
  assertEquals(placed.sort(), files.sort());
});

Deno.test("adapters are opened by lib/run, programs and tests alone", async () => {
  const opened = (await importsOf("lib")).filter(({ specifier, folder }) =>
    ADAPTERS.includes(specifier) && folder !== "run"
  );
  assertEquals(opened, []);
});

Deno.test("services never import each other", async () => {
  const crossing = (await importsOf("services")).filter((
    { specifier, file },
  ) =>
    specifier.includes("services/") ||
    new URL(specifier, new URL(file, ROOT)).pathname.startsWith(
        ROOT.pathname,
      ) &&
      specifier.startsWith("..") &&
      new URL(specifier, new URL(file, ROOT)).pathname
          .slice(ROOT.pathname.length).split("/")[1] !== file.split("/")[1]
  );
  assertEquals(crossing, []);
});

Deno.test("only what belongs there stands at the top", async () => {
  const allowed = new Set([
    ".ci",
    ".git",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "compose.yaml",
    "coverage",
    "deno.json",
    "deno.lock",
    "docs",
    "lib",
    "node_modules",
    "ops",
    "services",
    "tests",
    "tofu",
  ]);
  const odd: string[] = [];
  for await (const entry of Deno.readDir(ROOT)) {
    if (!allowed.has(entry.name)) odd.push(entry.name);
  }
  assertEquals(odd, []);
});
