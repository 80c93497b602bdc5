import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { utf8 } from "@tesseras/core";
import { temporaryFolder } from "./folder_for_tests.ts";
import {
  clearLeftovers,
  makePrivateFolder,
  readSecret,
  writeNewSecret,
} from "./secret_files.ts";

const modeOf = async (path: string): Promise<number> =>
  (await Deno.stat(path)).mode! & 0o7777;
const namesIn = async (path: string): Promise<readonly string[]> =>
  (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();

Deno.test("a secret is 0600 from its first byte, in a folder of 0700", async () => {
  await using folder = await temporaryFolder();
  const inside = `${folder.path}/a/b`;
  await makePrivateFolder(inside);
  assertEquals(await modeOf(inside), 0o700);
  const path = `${inside}/key`;
  // Watched while it is written: no name in the folder is ever open to others.
  const modes = new Set<number>();
  const writing = writeNewSecret(path, new Uint8Array(200_000));
  let isDone = false;
  const done = writing.then(() => (isDone = true));
  while (!isDone) {
    for (const name of await namesIn(inside)) {
      const mode = await modeOf(`${inside}/${name}`).catch(() => undefined);
      if (mode !== undefined) modes.add(mode);
    }
  }
  await done;
  assertEquals([...modes], [0o600]);
  assertEquals(await namesIn(inside), ["key"]);
});

Deno.test("a key is never overwritten, and of two at once one wins whole", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/key`;
  const contents = Array.from({ length: 8 }, (_, n) => utf8(`${n}`.repeat(99)));
  const ends = await Promise.allSettled(
    contents.map((bytes) => writeNewSecret(path, bytes)),
  );
  const winners = ends.flatMap(({ status }, n) =>
    status === "fulfilled" ? [n] : []
  );
  assertEquals(winners.length, 1);
  assertEquals(await readSecret(path, 99), contents[winners[0]!]);
  assertEquals(await namesIn(folder.path), ["key"]);
  const again = writeNewSecret(path, utf8("other"));
  await assertRejectsCode(again, "unusable", /it exists/);
});

Deno.test("reading tightens what others could read, and names what it cannot use", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/key`;
  assertEquals(await readSecret(path, 10), undefined);
  await Deno.writeTextFile(path, "secret", { mode: 0o644 });
  assertEquals(await readSecret(path, 10), utf8("secret"));
  assertEquals(await modeOf(path), 0o600);
  await assertRejectsCode(
    readSecret(path, 5),
    "unusable",
    /key: 6 bytes, a key has at most 5/,
  );
  await assertRejectsCode(
    readSecret(folder.path, 5),
    "unusable",
    /it is no file/,
  );
});

Deno.test("what a crash left is cleared once it is old, and nothing else is", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/key`;
  await writeNewSecret(path, utf8("secret"));
  await Deno.writeTextFile(`${path}.0123456789ab.tmp`, "half a sec");
  await Deno.writeTextFile(`${path}.backup.tmp`, "somebody's own");
  await clearLeftovers(path);
  // Just written: its writer may be alive.
  assertEquals((await namesIn(folder.path)).length, 3);
  await clearLeftovers(path, -1);
  assertEquals(await namesIn(folder.path), ["key", "key.backup.tmp"]);
  await clearLeftovers(`${folder.path}/none/key`);
});

Deno.test("an existing folder is tightened, one that everybody shares is refused", async () => {
  await using folder = await temporaryFolder();
  const open = `${folder.path}/open`;
  await Deno.mkdir(open);
  await Deno.chmod(open, 0o755);
  await makePrivateFolder(open);
  assertEquals(await modeOf(open), 0o700);
  const shared = `${folder.path}/shared`;
  await Deno.mkdir(shared);
  await Deno.chmod(shared, 0o1777);
  const refused = makePrivateFolder(shared);
  await assertRejectsCode(refused, "unusable", /everybody shares it/);
  assertEquals(await modeOf(shared), 0o1777);
});

Deno.test("a folder that cannot be made is one sentence", async () => {
  await using folder = await temporaryFolder();
  const file = `${folder.path}/file`;
  await Deno.writeTextFile(file, "");
  for (const path of [file, `${file}/inside`]) {
    await assertRejectsCode(
      makePrivateFolder(path),
      "unusable",
      /^Cannot use the folder [^\n]+$/,
    );
  }
  const nowhere = writeNewSecret(`${folder.path}/none/key`, utf8("x"));
  await assertRejectsCode(nowhere, "unusable", /^Cannot write [^\n]+$/);
  assertTrue((await namesIn(folder.path)).join() === "file");
});
