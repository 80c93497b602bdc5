import { TESSERA_BYTES_MAX } from "@tesseras/core/limits";
import { folderOf, never, SUNDAY } from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { scanFolder } from "./folder_scan.ts";

Deno.test("scanFolder() finds memories in folders, in order of their bytes", async () => {
  await using folder = await folderOf({
    ...SUNDAY,
    "ä.txt": "x",
    "Z.txt": "y",
  });
  const scan = await scanFolder(folder.path, never);
  assertEquals(
    scan.files.map(({ name }) => name),
    ["Z.txt", "bell.wav", "garden.jpg", "notes/story.txt", "ä.txt"],
  );
  assertEquals(scan.leftOut, []);
  assertEquals(
    scan.bytes,
    scan.files.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  assertEquals(scan.files[3]?.kind.name, "text");
});

Deno.test("scanFolder() says of everything it leaves out why", async () => {
  await using folder = await folderOf({
    "kept.txt": "kept",
    "film.mov": "film",
    "plain": "no ending",
    "empty.png": "",
    ".hidden.jpg": "x",
    ".cache/a.jpg": "x",
  });
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.symlink(folder.path, at("loop"));
  await Deno.symlink("/etc/hostname", at("out.txt"));
  await Deno.symlink("nowhere", at("broken.jpg"));
  await run("mkfifo", at("pipe.txt"));
  const scan = await scanFolder(folder.path, never);
  assertEquals(scan.files.map(({ name }) => name), ["kept.txt"]);
  const reasons = Object.fromEntries(
    scan.leftOut.map(({ name, reason }) => [name, reason]),
  );
  const link = "It is a symbolic link, and links are not followed";
  const type =
    "Its type is not supported, only .jpg, .jpeg, .png, .wav, .webm and .txt are";
  assertEquals(reasons, {
    ".cache": "It is a hidden folder",
    ".hidden.jpg": "It is a hidden file",
    "broken.jpg": link,
    "empty.png": "It is empty",
    "film.mov": type,
    "loop": link,
    "out.txt": link,
    "pipe.txt": "It is neither a file nor a folder",
    "plain": type,
  });
});

Deno.test("scanFolder() takes names of any shape as data", async () => {
  const long = "n".repeat(251) + ".txt";
  const names = [
    "two\nlines.txt",
    "\u202egpj.txt",
    "a..b.txt",
    'quote"\\.txt',
    long,
  ];
  await using folder = await folderOf(
    Object.fromEntries(names.map((name) => [name, name])),
  );
  const scan = await scanFolder(folder.path, never);
  assertEquals(new Set(scan.files.map(({ name }) => name)), new Set(names));
});

Deno.test("scanFolder() leaves out a name that is not UTF-8", async () => {
  await using folder = await folderOf({ "kept.txt": "kept" });
  await run(
    "sh",
    "-c",
    "printf x > \"$1/$(printf 'bad\\377.txt')\"",
    "sh",
    folder.path,
  );
  const scan = await scanFolder(folder.path, never);
  assertEquals(scan.files.length, 1);
  assertEquals(scan.leftOut[0]?.reason, "Its name is not UTF-8");
});

Deno.test("scanFolder() leaves out what it may not read", async () => {
  if (Deno.uid() === 0) {
    console.log("skipped: root may read everything");
    return;
  }
  await using folder = await folderOf({
    "kept.txt": "kept",
    "locked.txt": "x",
  });
  await Deno.chmod(`${folder.path}/locked.txt`, 0);
  const scan = await scanFolder(folder.path, never);
  assertEquals(
    scan.leftOut[0]?.reason,
    "It cannot be read: permission denied",
  );
});

Deno.test("scanFolder() refuses a folder without memories, with one sentence", async () => {
  await using folder = await folderOf({ "film.mov": "film" });
  await assertRejectsCode(
    scanFolder(folder.path, never),
    "unusable",
    /^Cannot make a tessera of folder ".*": it holds no memory that can be kept/,
  );
  await assertRejectsCode(
    scanFolder(`${folder.path}/nowhere`, never),
    "missing",
    /^Cannot read folder ".*": there is no such file or folder$/,
  );
  await assertRejectsCode(
    scanFolder(`${folder.path}/film.mov`, never),
    "unusable",
    /it is not a folder$/,
  );
});

Deno.test("scanFolder() refuses more bytes than a tessera holds, before reading any", async () => {
  await using folder = await folderOf({ "a.wav": "x", "b.wav": "x" });
  const half = Math.ceil(TESSERA_BYTES_MAX / 2) + 1;
  await Deno.truncate(`${folder.path}/a.wav`, half);
  await Deno.truncate(`${folder.path}/b.wav`, half);
  await assertRejectsCode(
    scanFolder(folder.path, never),
    "unusable",
    new RegExp(
      `are ${2 * half} bytes together, limit with .* ${TESSERA_BYTES_MAX}$`,
    ),
  );
});

Deno.test("a file that changes, vanishes or becomes a link after the scan is refused", async () => {
  await using folder = await folderOf({
    "a.txt": "first",
    "b.txt": "first",
    "c.txt": "first",
  });
  const scan = await scanFolder(folder.path, never);
  const [a, b, c] = scan.files;
  assertTrue(a && b && c);
  await Deno.writeTextFile(`${folder.path}/a.txt`, "longer than before");
  await assertRejectsCode(a.open(never), "unusable", /"a.txt": it changed/);
  await Deno.remove(`${folder.path}/b.txt`);
  await assertRejectsCode(b.open(never), "missing", /"b.txt": there is no/);
  // As long and as old as the file was: only its identity tells.
  await using other = await folderOf({ "c.txt": "other" });
  await Deno.remove(`${folder.path}/c.txt`);
  await Deno.symlink(`${other.path}/c.txt`, `${folder.path}/c.txt`);
  await assertRejectsCode(c.open(never), "unusable", /"c.txt": it changed/);
});

Deno.test("a file that changes while it is read says so at the end", async () => {
  await using folder = await folderOf({ "a.txt": "first" });
  const [file] = (await scanFolder(folder.path, never)).files;
  assertTrue(file);
  await using reader = await file.open(never);
  assertEquals(await reader.read(new Uint8Array(2), never), 2);
  await Deno.writeTextFile(`${folder.path}/a.txt`, "FIRST");
  await assertRejectsCode(reader.checkUnchanged(never), "unusable");
});

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assertTrue(success, `${command} works`);
}
