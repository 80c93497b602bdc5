import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { temporaryFolder } from "./folder_for_tests.ts";
import { checkSocket, claimSocketFolder } from "./socket_folder.ts";

/** Somebody who is not us. Only root can hand folders to others; for everybody else, root's own will do. */
async function foreignFolder(inside: string): Promise<string> {
  if (Deno.uid() !== 0) return "/usr";
  const path = `${inside}/foreign`;
  await Deno.mkdir(path, { mode: 0o700 });
  await Deno.chown(path, 65_534, 65_534);
  return path;
}

Deno.test("the socket's folder is made for us alone, and taken again", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/run`;
  await claimSocketFolder(path);
  await Deno.chmod(path, 0o755);
  await claimSocketFolder(path);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o700);
});

Deno.test("a folder that another user laid out is refused and left as it is", async () => {
  await using folder = await temporaryFolder();
  const path = await foreignFolder(folder.path);
  const before = await Deno.stat(path);
  await assertRejectsCode(
    claimSocketFolder(path),
    "unusable",
    /it belongs to user \d+; remove it, or choose/,
  );
  const after = await Deno.stat(path);
  assertEquals([after.mode, after.uid], [before.mode, before.uid]);
});

Deno.test("a link or a file in its place is refused, and what the link leads to is left alone", async () => {
  await using folder = await temporaryFolder();
  const target = `${folder.path}/target`;
  await Deno.mkdir(target);
  await Deno.chmod(target, 0o755);
  const link = `${folder.path}/link`;
  await Deno.symlink(target, link);
  await assertRejectsCode(claimSocketFolder(link), "unusable", /no folder/);
  assertEquals((await Deno.stat(target)).mode! & 0o777, 0o755);
  const file = `${folder.path}/file`;
  await Deno.writeTextFile(file, "");
  await assertRejectsCode(claimSocketFolder(file), "unusable", /no folder/);
});

Deno.test("a client does not speak to a socket that another user laid out where everybody may", async () => {
  const mine = await Deno.makeTempDir({ dir: "/tmp", prefix: "tesseras-" });
  const link = `${mine}-link`;
  await Deno.symlink(mine, link);
  try {
    await checkSocket(`${mine}/tesd.sock`);
    await checkSocket(`${mine}-none/tesd.sock`);
    await assertRejectsCode(checkSocket(`${link}/tesd.sock`), "unusable");
    if (Deno.uid() === 0) {
      await Deno.chown(mine, 65_534, 65_534);
      await assertRejectsCode(checkSocket(`${mine}/tesd.sock`), "unusable");
    }
  } finally {
    await Deno.remove(link);
    await Deno.remove(mine);
  }
});
