/** Every command that needs no node, in this process. */
import { match } from "node:assert/strict";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { photo } from "@tesseras/testing/archive";
import { Home, ScriptedPerson, textOf } from "./home_for_tests.ts";

Deno.test("init makes everything private, and again changes nothing", async () => {
  await using home = await Home.empty();
  const { dataDir } = home;
  const first = await home.tes(["init"]);
  assertEquals(first.lines.slice(0, 4), [
    "Generated Ed25519 and ML-DSA-65 identity",
    "Database initialized",
    `Config written to ${dataDir}/config.toml`,
    `Tesseras initialized at ${dataDir}`,
  ]);
  const seed = await Deno.readTextFile(`${dataDir}/identity/master.seed`);
  await Deno.writeTextFile(`${dataDir}/config.toml`, "# mine\n");
  const second = await home.tes(["init"]);
  assertEquals(second.lines, [
    "Ed25519 and ML-DSA-65 identity already exists",
    "Database initialized",
    `Tesseras initialized at ${dataDir}`,
  ]);
  assertEquals(second.json.creator, first.json.creator);
  assertEquals(
    await Deno.readTextFile(`${dataDir}/identity/master.seed`),
    seed,
  );
  assertEquals(
    await Deno.readTextFile(`${dataDir}/config.toml`),
    "# mine\n",
  );
  const modes: Record<string, number> = {};
  for (
    const name of ["", "identity", "identity/master.seed", "blobs", "db"]
  ) modes[name] = (await Deno.stat(`${dataDir}/${name}`)).mode! & 0o777;
  assertEquals(modes, {
    "": 0o700,
    identity: 0o700,
    "identity/master.seed": 0o600,
    blobs: 0o700,
    db: 0o700,
  });
});

Deno.test("before init there is nothing to list, and creating says what to do", async () => {
  await using home = await Home.empty();
  const folder = await home.folder("f", { "a.txt": "a" });
  assertEquals((await home.tes(["list"])).lines, ["No tesseras found."]);
  assertEquals((await home.tes(["list"])).json, { tesseras: [] });
  assertEquals((await home.tes(["status"])).lines, ["No tesseras found."]);
  await assertRejectsCode(
    home.tes(["create", folder]),
    "missing",
    /run "tes init" first/,
  );
  for (const command of ["show", "verify", "publish"]) {
    await assertRejectsCode(
      home.tes([command, "abcd"]),
      "missing",
      /there is no archive in .*tes init/,
    );
  }
  // Asking leaves no trace.
  assertEquals([...Deno.readDirSync(home.path)].map(({ name }) => name), ["f"]);
});

Deno.test("create keeps what it can, tells the rest, and list and show tell it again", async () => {
  await using home = await Home.ready();
  const folder = await home.folder("Our Sunday", {
    "garden.jpg": photo(),
    "liar.jpg": "this is no photograph",
    "notes/story.txt": "A warm Sunday.\n",
    "program.exe": "MZ",
    "empty.txt": "",
  });
  await Deno.symlink("/", `${folder}/everything`);
  const dry = await home.tes(["create", folder, "--dry-run"]);
  assertEquals(dry.lines[0], 'Would create "Our Sunday"');
  assertEquals((await home.tes(["list"])).json, { tesseras: [] });
  const made = await home.tes(
    ["create", folder, "--tags", "family, sunday,,family", "--location=Home"],
  );
  const hash = textOf(made.json.hash);
  match(hash, /^[0-9a-f]{64}$/);
  assertTrue(made.lines.includes(`Content hash: ${hash}`));
  assertEquals(
    (made.json.leftOut as { name: string }[]).map(({ name }) => name),
    ["empty.txt", "everything", "program.exe"],
  );
  assertEquals(made.json.leftOut, dry.json.leftOut);
  match(
    textOf((made.json.warnings as string[])[0]),
    /liar\.jpg.*kept as it is/,
  );
  const memories = made.json.memories as {
    name: string;
    mime: string;
    path: string;
    hash: string;
  }[];
  assertEquals(memories.map(({ name, mime }) => [name, mime]), [
    ["garden.jpg", "image/jpeg"],
    ["liar.jpg", "image/jpeg"],
    ["notes/story.txt", "text/plain"],
  ]);
  for (const { path, hash } of memories) {
    assertTrue(path.startsWith(`memories/${hash}/media.`), path);
  }
  const [header, row] = (await home.tes(["list"])).lines;
  match(header!, /^Hash {13}Created {5}Memories {2}Size {4}Visibility$/);
  match(
    row!,
    new RegExp(
      `^${hash.slice(0, 16)} \\d{4}-\\d\\d-\\d\\d {9}3 {2} *\\d+ KB {2}public$`,
    ),
  );
  const shown = await home.tes(["show", hash.slice(0, 4)]);
  assertEquals([shown.json.title, shown.json.tags, shown.json.location], [
    "Our Sunday",
    ["family", "sunday"],
    "Home",
  ]);
  match(shown.lines.join("\n"), /"garden\.jpg": moment.*at 48\.5, 9/);
});

Deno.test("with --no-location no coordinate is kept, and the person is told", async () => {
  await using home = await Home.ready();
  const folder = await home.folder("f", { "a.jpg": photo() });
  const made = await home.tes(["create", folder, "--no-location"]);
  match(
    made.lines.join("\n"),
    /"a\.jpg" told where it was taken; the place is/,
  );
  const shown = await home.tes(["show", textOf(made.json.hash)]);
  assertTrue(!shown.lines.join("\n").includes("48.5"));
  assertEquals(await Deno.readFile(`${folder}/a.jpg`), photo());
});

Deno.test("a person at a terminal is asked what was not said, and may still say no", async () => {
  await using home = await Home.ready();
  const folder = await home.folder("f", { "a.txt": "a" });
  const no = new ScriptedPerson(["", "", "", "n"]);
  await assertRejectsCode(
    home.tes(["create", folder], no),
    "cancelled",
    /nothing was made/,
  );
  assertEquals(no.said.slice(-4), [
    "Title",
    "Tags, comma-separated",
    "Location",
    "Create this tessera?",
  ]);
  assertEquals((await home.tes(["list"])).json, { tesseras: [] });
  const yes = new ScriptedPerson(["Grandmother", "kitchen, 1962", "y"]);
  const made = await home.tes(["create", folder, "--location", "Home"], yes);
  const { json } = await home.tes(["show", textOf(made.json.hash)]);
  assertEquals([json.title, json.tags, json.location], [
    "Grandmother",
    ["kitchen", "1962"],
    "Home",
  ]);
});

Deno.test("words that do not fit are refused before anything is stored", async () => {
  await using home = await Home.ready();
  const folder = await home.folder("f", { "a.txt": "a" });
  const empty = await home.folder("empty", {});
  const create = (...args: string[]) => home.tes(["create", folder, ...args]);
  await assertRejectsCode(
    create("--visibility", "private"),
    "unusable",
    /only public is there, encryption is not in this version/,
  );
  await assertRejectsCode(create("--language", "not a code"), "unusable");
  await assertRejectsCode(create("--title", "x".repeat(2_000)), "unusable");
  await assertRejectsCode(
    home.tes(["create", empty]),
    "unusable",
    /holds no memory/,
  );
  await assertRejectsCode(
    home.tes(["create", `${home.path}/nowhere`]),
    "missing",
  );
  assertEquals((await home.tes(["list"])).json, { tesseras: [] });
});

Deno.test("a folder that cannot be read is refused, a file is left out", async () => {
  if (Deno.uid() === 0) {
    return console.log("  not tried: root may read everything");
  }
  await using home = await Home.ready();
  const folder = await home.folder("f", { "a.txt": "a", "b.txt": "b" });
  await Deno.chmod(`${folder}/b.txt`, 0);
  const made = await home.tes(["create", folder]);
  match(made.lines.join("\n"), /"b\.txt": It cannot be read/);
  await Deno.chmod(folder, 0);
  await assertRejectsCode(home.tes(["create", folder]), "unusable");
  await Deno.chmod(folder, 0o700);
});

Deno.test("an export verifies, as a folder and as a tar, and comes back by import", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  const out = `${home.path}/out/`;
  const exported = await home.tes(["export", hash.slice(0, 8), out]);
  const path = textOf(exported.json.path);
  assertEquals(path, `${home.path}/out/tessera-${hash}`);
  assertEquals(exported.lines, [`Exported to ${path}`]);
  await assertRejectsCode(home.tes(["export", hash, out]), "inUse");
  const tar = `${home.path}/t.tar`;
  await new Deno.Command("tar", {
    args: ["-cf", tar, "-C", out, `tessera-${hash}`],
  }).output();
  await using other = await Home.empty();
  for (const place of [path, out, tar]) {
    const { json, lines, failed } = await other.tes(["verify", place]);
    assertEquals([json.hash, json.passed, failed], [hash, true, false]);
    assertEquals(json.signatures, { ed25519: true, mlDsa: true });
    assertEquals(lines[0], `Tessera: ${hash}`);
    assertEquals(lines[1], "Signature: VALID (Ed25519 and ML-DSA-65)");
    assertTrue(lines.some((line) => /^ {2}\[OK\] memories\/.*txt$/.test(line)));
    assertEquals(lines.at(-1), "Verification: PASSED");
  }
  const first = await other.tes(["import", tar]);
  assertEquals([first.json.hash, first.json.status], [hash, "added"]);
  const second = await other.tes(["import", path]);
  assertEquals([second.json.hash, second.json.status], [hash, "exists"]);
  assertEquals((await other.tes(["verify", hash])).json.passed, true);
});

Deno.test("verify of a copy that was tampered with fails and names the file", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  const out = `${home.path}/out`;
  const path = textOf((await home.tes(["export", hash, out])).json.path);
  const story = (await home.tes(["show", hash])).json.memories as {
    path: string;
  }[];
  const file = story[0]!.path;
  await Deno.writeTextFile(`${path}/${file}`, "A cold sunday.\n");
  await Deno.writeTextFile(`${path}/memories/\u202enew`, "slipped in");
  const { json, lines, failed } = await home.tes(["verify", path]);
  assertEquals([json.passed, failed], [false, true]);
  const marked = lines.filter((line) => /\[(FAILED|UNEXPECTED)\]/.test(line));
  match(marked[0]!, new RegExp(`^  \\[FAILED\\] ${file}: BLAKE3 is `));
  match(marked[1]!, /UNEXPECTED\] "memories\/\\u\{202e\}new"/);
  assertEquals(lines.at(-1), "Verification: FAILED");
  await assertRejectsCode(home.tes(["import", path]), "corrupt");
  // The stored one is as good as ever.
  assertEquals((await home.tes(["verify", hash])).json.passed, true);
});

Deno.test("a folder named after one tessera does not verify as another", async () => {
  await using home = await Home.ready();
  const one = await home.tessera("sunday");
  const two = await home.tessera("monday");
  const out = `${home.path}/out`;
  const path = textOf((await home.tes(["export", one, out])).json.path);
  await Deno.rename(path, `${out}/tessera-${two}`);
  const { json, lines } = await home.tes(["verify", `${out}/tessera-${two}`]);
  assertEquals(json.passed, false);
  match(lines.join("\n"), new RegExp(`This is tessera ${one}, wanted ${two}`));
});

Deno.test("a hash is meant by its beginning where that is enough", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  for (const text of [hash, hash.toUpperCase(), hash.slice(0, 4)]) {
    assertEquals((await home.tes(["show", text])).json.hash, hash);
  }
  await assertRejectsCode(home.tes(["show", hash.slice(0, 3)]), "unusable");
  const other = hash.startsWith("ffff") ? "0000" : "ffff";
  await assertRejectsCode(home.tes(["show", other]), "missing");
  await assertRejectsCode(home.tes(["show", "../etc"]), "unusable");
});

Deno.test("delete asks, warns of the only copy, and does nothing unless told to", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  await assertRejectsCode(home.tes(["delete", hash]), "unusable", /--yes/);
  const no = new ScriptedPerson([""]);
  await assertRejectsCode(home.tes(["delete", hash], no), "cancelled");
  match(no.said.join("\n"), /"sunday", 1 memory: .*\n.*may be the only copy/);
  assertEquals((await home.tes(["verify", hash])).json.passed, true);
  const { json } = await home.tes(["delete", hash, "--yes"]);
  assertEquals([json.hash, json.removed], [hash, true]);
  assertEquals((await home.tes(["list"])).lines, ["No tesseras found."]);
});

Deno.test("without a node everything that needs one says how to start it", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  for (
    const args of [["publish", hash], ["fetch", "0".repeat(64)], [
      "status",
      "--node",
    ]]
  ) {
    await assertRejectsCode(home.tes(args), "notRunning", /start it with/);
  }
  const fetched = await home.tes(["fetch", hash.slice(0, 4)]);
  assertEquals([fetched.json.hash, fetched.json.status], [hash, "exists"]);
  await assertRejectsCode(
    home.tes(["fetch", "12ab"]),
    "unusable",
    /all 64 hexadecimal digits/,
  );
  const { lines } = await home.tes(["status", hash]);
  match(lines.join("\n"), /State: +Local/);
});
