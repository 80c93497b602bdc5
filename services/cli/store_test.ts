/** `tes store check` on a real disk: bits flipped, files cut short, the database gone or damaged. */
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { lockDataDir } from "@tesseras/run";
import { Home } from "./home_for_tests.ts";

async function blobsOf({ dataDir }: Home): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const shard of Deno.readDir(`${dataDir}/blobs`)) {
    if (!/^[0-9a-f]{2}$/.test(shard.name)) continue;
    const folder = `${dataDir}/blobs/${shard.name}`;
    for await (const { name } of Deno.readDir(folder)) {
      paths.push(`${folder}/${name}`);
    }
  }
  return paths.sort();
}

/** The blob that begins so. */
async function blobLike(home: Home, beginning: string): Promise<string> {
  for (const path of await blobsOf(home)) {
    if ((await Deno.readTextFile(path)).startsWith(beginning)) return path;
  }
  throw new Error(`no blob begins with ${beginning}`);
}

async function list(home: Home): Promise<number> {
  const { json } = await home.tes(["list"]);
  assertTrue(Array.isArray(json.tesseras));
  return json.tesseras.length;
}

async function check(home: Home, ...words: readonly string[]) {
  return await home.tes(["store", "check", ...words]);
}

Deno.test("a sound store is OK, and what is not there cannot be checked", async () => {
  await using home = await Home.empty();
  await assertRejectsCode(check(home), "missing", /there is no store in/);
  await home.tes(["init"]);
  await home.tessera();
  const before = await blobsOf(home);
  for (const words of [[], ["--repair"]]) {
    const { failed, lines, json } = await check(home, ...words);
    assertEquals(failed, false);
    assertEquals(lines.at(-1), words[0] ? "Store: REPAIRED" : "Store: OK");
    assertEquals(json.passed, true);
    assertEquals(json.blobCount, before.length);
  }
  assertEquals(await blobsOf(home), before);
});

Deno.test("while a node runs, the check asks for it to be stopped", async () => {
  await using home = await Home.ready();
  using _node = await lockDataDir(`${home.dataDir}/lock`);
  await assertRejectsCode(check(home), "inUse", /a node is running .* stop it/);
});

Deno.test("a word that is no action is told what may have been meant", async () => {
  await using home = await Home.ready();
  let message = "";
  try {
    await home.tes(["store", "chek"]);
  } catch (error) {
    message = String(error);
  }
  assertTrue(/wanted check/.test(message), message);
});

Deno.test("flipped and cut blobs are named, moved aside with a note, and never deleted", async () => {
  await using home = await Home.ready();
  const hash = await home.tessera();
  const story = await blobLike(home, "A warm sunday");
  const readme = await blobLike(home, "TESSERA MANIFEST");
  const bytes = await Deno.readFile(story);
  bytes[3]! ^= 1;
  await Deno.writeFile(story, bytes);
  await Deno.truncate(readme, 10);
  const seen = await check(home);
  assertEquals(seen.failed, true);
  assertEquals(
    seen.lines.filter((line) => line.includes("[DAMAGED]")).length,
    2,
  );
  assertTrue(seen.lines.some((line) => line.includes(`[FAILED] "sunday"`)));
  assertTrue(seen.lines.at(-1)!.includes("--repair"));
  const count = (await blobsOf(home)).length;
  const repaired = await check(home, "--repair");
  assertEquals(repaired.failed, true);
  assertEquals((await blobsOf(home)).length, count - 2);
  const aside = [...Deno.readDirSync(`${home.dataDir}/blobs/quarantine`)];
  assertEquals(aside.length, 4);
  assertTrue(Array.isArray(repaired.json.damagedTesseras));
  assertEquals(await list(home), 1);
  const text = JSON.stringify(repaired.json.damagedTesseras);
  assertTrue(text.includes(hash) && text.includes("MANIFEST"), text);
});

/** Has what is in the log written into the file itself, so that harm to the file is harm. */
async function withoutLog(database: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  const open = new DatabaseSync(database);
  open.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  open.close();
}

for (
  const [what, harm] of Object.entries({
    "deleted": async (path: string) => {
      for await (const { name } of Deno.readDir(path.replace(/[^/]*$/, ""))) {
        if (name.startsWith("tesseras.db")) {
          await Deno.remove(path.replace(/[^/]*$/, name));
        }
      }
    },
    "cut short": async (path: string) => {
      const { size } = await Deno.stat(path);
      await Deno.truncate(path, Math.ceil(size / 2));
    },
    "full of noise": async (path: string) => {
      const bytes = await Deno.readFile(path);
      bytes.fill(0xa5, 100);
      await Deno.writeFile(path, bytes);
    },
    "no database at all": (path: string) =>
      Deno.writeTextFile(path, "these are not the rows you are looking for"),
  })
) {
  Deno.test(`a database that is ${what} is made again from the disk`, async () => {
    await using home = await Home.ready();
    const hashes = [await home.tessera(), await home.tessera("monday")];
    const before = await blobsOf(home);
    const database = `${home.dataDir}/db/tesseras.db`;
    await withoutLog(database);
    await harm(database);
    const seen = await check(home);
    assertEquals(seen.failed, true);
    assertTrue(/^The index is (gone|damaged)/.test(seen.lines[1]!));
    assertEquals(await blobsOf(home), before);
    const { failed, json } = await check(home, "--repair");
    assertEquals(failed, false);
    assertEquals(await blobsOf(home), before);
    if (what === "deleted") assertEquals(json.indexAside, null);
    else {
      const names = [...Deno.readDirSync(String(json.indexAside))];
      assertTrue(names.some(({ name }) => name === "tesseras.db"));
    }
    assertEquals(await list(home), 2);
    for (const hash of hashes) {
      assertEquals((await home.tes(["verify", hash])).failed, false);
    }
    assertEquals((await check(home)).lines.at(-1), "Store: OK");
  });
}

Deno.test("a blob that nobody lists is reported and left where it is", async () => {
  await using home = await Home.ready();
  await home.tessera();
  const [story] = (await home.tes(["list"])).lines;
  assertTrue(story);
  const before = await blobsOf(home);
  // The tessera leaves the index alone, as a crash in the middle of a delete would have it.
  const { openLibsqlState } = await import("@tesseras/state/libsql");
  const signal = new AbortController().signal;
  {
    const url = `file://${home.dataDir}/db/tesseras.db`;
    await using state = await openLibsqlState({ url, worker: false }, signal);
    const [row] = await state.tesseras(signal);
    await state.removeTessera(row!.id, signal);
  }
  const { json, failed } = await check(home);
  assertEquals(failed, true);
  const unlisted = json.unlisted as { readonly count: number };
  assertEquals(unlisted.count, before.length);
  assertEquals(await blobsOf(home), before);
  assertEquals((await check(home, "--repair")).failed, false);
  assertEquals(await list(home), 1);
});
