import { codeOf, messageOf } from "@tesseras/core";
import {
  created,
  folderOf,
  never,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { exportTessera } from "./folder_export.ts";
import { openTessera } from "./open_tessera.ts";

/** An exported tessera in a folder of its own. */
async function exported() {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const source = await one.archive.source(id, never);
  const folder = await folderOf();
  const order = { id, source, destination: folder.path };
  const path = await exportTessera(order, () => {}, never);
  return { ...folder, id, tessera: path, archive: one.archive };
}

async function importFrom(path: string) {
  const { archive } = world();
  await using source = await openTessera(path, never);
  const report = await archive.import({ source }, () => {}, never);
  return { archive, ...report };
}

Deno.test("a tessera comes back from the tar that tar makes of its folder", async () => {
  await using folder = await exported();
  const tar = `${folder.path}/t.tar`;
  const forms = [
    ["cf", tar, "-C", folder.path, folder.tessera.split("/").at(-1)!],
    ["cf", tar, "-C", folder.tessera, "."],
    ["--format=pax", "-cf", tar, "-C", folder.tessera, "."],
  ];
  for (const args of forms) {
    const { success } = await new Deno.Command("tar", { args }).output();
    assertTrue(success);
    const { id, archive } = await importFrom(tar);
    assertEquals(id, folder.id);
    assertTrue((await archive.verify(id, () => {}, never)).passed);
  }
});

Deno.test("a tessera comes back from its pack on disk, and a cut pack is refused", async () => {
  await using folder = await exported();
  await using pack = await folder.archive.pack(folder.id, never);
  const bytes = new Uint8Array(pack.bytes);
  await pack.read(0, bytes, never);
  const tar = `${folder.path}/pack.tar`;
  await Deno.writeFile(tar, bytes);
  assertEquals((await importFrom(tar)).id, folder.id);
  await Deno.writeFile(tar, bytes.subarray(0, bytes.length - 2000));
  await assertRejectsCode(importFrom(tar), "malformed", /^Cannot read tar: /);
  await Deno.writeTextFile(tar, "no tar at all");
  await assertRejectsCode(importFrom(tar), "malformed", /^Cannot read tar: /);
});

Deno.test("a flipped byte in any file of a folder is refused, naming the file", async () => {
  await using folder = await exported();
  await using source = await openTessera(folder.tessera, never);
  for (const { path, bytes } of await source.list(never)) {
    const at = `${folder.tessera}/${path}`;
    const content = await Deno.readFile(at);
    const flipped = content.slice();
    flipped[bytes - 2]! ^= 4;
    await Deno.writeFile(at, flipped);
    const error = await importFrom(folder.tessera)
      .then(() => undefined, (error) => error);
    const code = codeOf(error) ?? "none";
    assertTrue(["corrupt", "forged", "malformed"].includes(code), path);
    const named = path.startsWith("identity/creator")
      ? "identity/"
      : path === "MANIFEST"
      ? ""
      : path;
    assertTrue(messageOf(error).includes(named), messageOf(error));
    await Deno.writeFile(at, content);
  }
  assertEquals((await importFrom(folder.tessera)).id, folder.id);
});

Deno.test("a file manager's droppings beside a tessera are reported and left there", async () => {
  await using folder = await exported();
  await Deno.writeTextFile(`${folder.tessera}/.DS_Store`, "x");
  await Deno.writeTextFile(`${folder.tessera}/Thumbs.db`, "x");
  const { ignored } = await importFrom(folder.tessera);
  assertEquals(ignored, [".DS_Store", "Thumbs.db"]);
});

Deno.test("links and pipes in a tessera's folder are refused by name", async () => {
  await using folder = await exported();
  const at = `${folder.tessera}/memories/more.txt`;
  await Deno.symlink("/etc/hostname", at);
  await assertRejectsCode(
    importFrom(folder.tessera),
    "unusable",
    /"memories\/more.txt" is a symbolic link$/,
  );
  await Deno.remove(at);
  await new Deno.Command("mkfifo", { args: [at] }).output();
  await assertRejectsCode(
    importFrom(folder.tessera),
    "unusable",
    /"memories\/more.txt" is neither a file nor a folder$/,
  );
});

Deno.test("a file that is replaced by a link after the look is not followed", async () => {
  await using folder = await exported();
  await using source = await openTessera(folder.tessera, never);
  await Deno.remove(`${folder.tessera}/MANIFEST`);
  await Deno.symlink("/etc/hostname", `${folder.tessera}/MANIFEST`);
  await assertRejectsCode(
    world().archive.import({ source }, () => {}, never),
    "unusable",
    /it was replaced while the tessera was read$/,
  );
});

Deno.test("openTessera() says what is wrong with a place that holds none, or several", async () => {
  await using folder = await folderOf({ "a.txt": "x" });
  await assertRejectsCode(
    openTessera(`${folder.path}/nowhere`, never),
    "missing",
    /there is no such file or folder$/,
  );
  await assertRejectsCode(
    openTessera(folder.path, never),
    "missing",
    /it holds neither a MANIFEST nor a folder tessera-…$/,
  );
  await Deno.mkdir(`${folder.path}/tessera-1`);
  await Deno.mkdir(`${folder.path}/tessera-2`);
  await assertRejectsCode(
    openTessera(folder.path, never),
    "unusable",
    /it holds 2 tesseras, name one of them$/,
  );
  await new Deno.Command("mkfifo", { args: [`${folder.path}/pipe`] }).output();
  await assertRejectsCode(
    openTessera(`${folder.path}/pipe`, never),
    "unusable",
    /it is not a file$/,
  );
});
