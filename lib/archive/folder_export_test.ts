import { toHex } from "@tesseras/core";
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

/** A tessera, what gives its files, and an empty folder to export to. */
async function setUp() {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const source = await one.archive.source(id, never);
  const folder = await folderOf();
  return { one, id, source, folder };
}

async function namesIn(path: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) names.push(name);
  return names.sort();
}

Deno.test("exportTessera() writes a folder that imports and verifies elsewhere", async () => {
  const { id, source, folder } = await setUp();
  await using _folder = folder;
  const told: number[] = [];
  const destination = `${folder.path}/back/up`;
  const path = await exportTessera(
    { id, source, destination },
    ({ doneBytes }) => told.push(doneBytes),
    never,
  );
  assertEquals(path, `${destination}/tessera-${toHex(id)}`);
  assertEquals(await namesIn(destination), [`tessera-${toHex(id)}`]);
  assertEquals((await Deno.stat(`${path}/MANIFEST`)).mode! & 0o777, 0o644);
  assertTrue(told.length >= 3);
  for (const place of [path, destination]) {
    await using found = await openTessera(place, never);
    const other = world();
    const report = await other.archive.import(
      { source: found, expectedId: id },
      () => {},
      never,
    );
    assertEquals(report.ignored, []);
    assertTrue((await other.archive.verify(id, () => {}, never)).passed);
  }
});

Deno.test("exportTessera() refuses to write over one that is there", async () => {
  const { id, source, folder } = await setUp();
  await using _folder = folder;
  const order = { id, source, destination: folder.path };
  await exportTessera(order, () => {}, never);
  await assertRejectsCode(
    exportTessera(order, () => {}, never),
    "inUse",
    /it exists already; remove it or choose another folder$/,
  );
  assertEquals((await namesIn(folder.path)).length, 1);
});

Deno.test("exportTessera() of a damaged or cancelled tessera leaves nothing", async () => {
  const { one, id, source, folder } = await setUp();
  await using _folder = folder;
  const order = { id, source, destination: folder.path };
  const controller = new AbortController();
  await assertRejectsCode(
    exportTessera(order, () => controller.abort(), controller.signal),
    "cancelled",
  );
  assertEquals(await namesIn(folder.path), []);
  const files = await one.state.filesOf(id, never);
  const media = files.find(({ path }) => path.endsWith("media.jpg"));
  assertTrue(media);
  one.blobs.rot(media.hash, 3);
  await assertRejectsCode(
    exportTessera(order, () => {}, never),
    "corrupt",
    new RegExp(`^Cannot read ${media.path}: its hash is`),
  );
  assertEquals(await namesIn(folder.path), []);
});

Deno.test("exportTessera() clears what a killed export of the same tessera left, and nothing else", async () => {
  const { id, source, folder } = await setUp();
  await using _folder = folder;
  const name = `tessera-${toHex(id)}`;
  const others = [`.${name}.running`, ".tessera-of-another.1", ".git"];
  for (const other of [`.${name}.killed`, ...others]) {
    await Deno.mkdir(`${folder.path}/${other}/memories`, { recursive: true });
    await Deno.writeTextFile(`${folder.path}/${other}/.lock`, "");
  }
  const running = `${folder.path}/.${name}.running/.lock`;
  using lock = await Deno.open(running, { write: true });
  await lock.lock(true);
  const order = { id, source, destination: folder.path };
  const path = await exportTessera(order, () => {}, never);
  assertEquals(await namesIn(folder.path), [...others, name].sort());
  assertTrue(!(await namesIn(path)).includes(".lock"));
});

Deno.test("exportTessera() into what is no folder says so", async () => {
  const { id, source, folder } = await setUp();
  await using _folder = folder;
  await Deno.writeTextFile(`${folder.path}/file`, "x");
  await assertRejectsCode(
    exportTessera(
      { id, source, destination: `${folder.path}/file` },
      () => {},
      never,
    ),
    "unusable",
    /^Cannot export to/,
  );
});

Deno.test("exportTessera() of a source that names a path outside the tessera writes nothing", async () => {
  const { id, folder } = await setUp();
  await using _folder = folder;
  for (const path of ["../escape.txt", "/etc/escape", "memories/.hidden"]) {
    const source = {
      list: () => Promise.resolve([{ path, bytes: 1 }]),
      async *read() {
        yield Uint8Array.of(1);
      },
    };
    await assertRejectsCode(
      exportTessera(
        { id, source, destination: folder.path },
        () => {},
        never,
      ),
      "malformed",
    );
    assertEquals(await namesIn(folder.path), []);
  }
});
