// Folders that people really have, given to the real program.
import { join } from "node:path";
import { utf8 } from "@tesseras/core";
import { SeededRandom } from "@tesseras/core";
import { compareExport } from "@tesseras/ops/compare";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  type Created,
  listed,
  runTes,
  sentenceOf,
  tesJson,
} from "./commands.ts";
import { LYING_NAME, makeFolder, ODD_NAMES } from "./folder.ts";

/** Root reads everything; without these two capabilities it obeys permissions as anybody does. */
const AS_ANYBODY = Deno.uid() === 0
  ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
  : [];

/** A home with an identity, and a place for folders. */
class Home implements AsyncDisposable {
  readonly dir: string;
  readonly dataDir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.dataDir = join(dir, "home");
  }

  static async open(): Promise<Home> {
    const dir = await Deno.makeTempDir({ prefix: "tesseras_folders_" });
    const home = new Home(dir);
    await tesJson(home.dataDir, ["init"]);
    return home;
  }

  /** A folder with these texts. */
  async folder(
    name: string,
    files: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const path = join(this.dir, name);
    await Deno.mkdir(path);
    for (const [file, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(path, file), text);
    }
    return path;
  }

  /** The sentence with which a folder is refused. */
  async refusal(folder: string): Promise<string> {
    const ended = await runTes(
      this.dataDir,
      ["--quiet", "create", folder],
      { through: AS_ANYBODY },
    );
    assertEquals(ended.code, 1);
    return sentenceOf(ended);
  }

  async create(folder: string): Promise<Created> {
    const args = ["--quiet", "create", folder];
    return await tesJson(this.dataDir, args, { through: AS_ANYBODY });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

Deno.test("folders of which no tessera can be made are refused with one sentence each", async () => {
  await using home = await Home.open();
  const empty = await home.folder("empty");
  const unsupported = await home.folder("unsupported", {
    "film.mov": "x",
    "paper.pdf": "x",
    ".hidden.txt": "x",
  });
  const closed = await home.folder("closed", { "a.txt": "x" });
  await Deno.chmod(closed, 0o000);
  const links = await home.folder("links");
  await Deno.symlink("..", join(links, "up"));
  await Deno.symlink("/etc/hostname", join(links, "host.txt"));
  const refusals: readonly (readonly [string, RegExp])[] = [
    [empty, /no memory that can be kept/],
    [unsupported, /no memory that can be kept/],
    [links, /no memory that can be kept/],
    [closed, /Cannot read folder .*closed/],
    [join(home.dir, "nowhere"), /Cannot read folder .*nowhere/],
    [join(home.dataDir, "config.toml"), /it is not a folder/],
  ];
  for (const [folder, wanted] of refusals) {
    const sentence = await home.refusal(folder);
    assertTrue(wanted.test(sentence), sentence);
  }
  assertEquals(await listed(home.dataDir), []);
  await Deno.chmod(closed, 0o700);
});

Deno.test("links, pipes and what cannot be read are left out and told, the rest is kept", async () => {
  await using home = await Home.open();
  const mixed = await home.folder("mixed", {
    "good.txt": "kept",
    "locked.txt": "x",
    "empty.txt": "",
    "film.mov": "x",
  });
  await Deno.chmod(join(mixed, "locked.txt"), 0o000);
  await Deno.mkdir(join(mixed, "locked"));
  await Deno.chmod(join(mixed, "locked"), 0o000);
  await Deno.symlink(".", join(mixed, "loop"));
  await Deno.symlink("self.txt", join(mixed, "self.txt"));
  await Deno.symlink("/etc/passwd", join(mixed, "out.txt"));
  await Deno.symlink("/etc", join(mixed, "out"));
  const pipe = await new Deno.Command("mkfifo", {
    args: [join(mixed, "pipe.txt")],
  }).output();
  assertTrue(pipe.success);
  const { memories, leftOut, hash } = await home.create(mixed);
  assertEquals(memories.map(({ name }) => name), ["good.txt"]);
  const reasons = Object.fromEntries(
    leftOut.map(({ name, reason }) => [name, reason]),
  );
  const wanted: Readonly<Record<string, RegExp>> = {
    "empty.txt": /empty/,
    "film.mov": /not supported/,
    "locked": /cannot be read/,
    "locked.txt": /cannot be read/,
    "loop": /symbolic link/,
    "out": /symbolic link/,
    "out.txt": /symbolic link/,
    "pipe.txt": /neither a file nor a folder/,
    "self.txt": /symbolic link/,
  };
  assertEquals(Object.keys(reasons).toSorted(), Object.keys(wanted));
  for (const [name, reason] of Object.entries(wanted)) {
    assertTrue(reason.test(reasons[name]!), `${name}: ${reasons[name]}`);
  }
  await tesJson(home.dataDir, ["verify", hash]);
  await Deno.chmod(join(mixed, "locked"), 0o700);
});

Deno.test("odd names and a .jpg that is none are kept as data, and no terminal obeys them", async () => {
  await using home = await Home.open();
  const folder = join(home.dir, "odd \u202e\n\u001b[2J folder");
  await makeFolder(folder, 3_000, new SeededRandom(1));
  const ended = await runTes(home.dataDir, ["create", folder]);
  assertEquals(ended.code, 0, ended.err);
  for (const text of [ended.out, ended.err]) {
    // deno-lint-ignore no-control-regex -- what a terminal obeys is what must not be there
    assertTrue(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/.test(text), text);
  }
  const [hash] = await listed(home.dataDir);
  const created = await home.create(folder);
  const names = created.memories.map(({ name }) => name);
  assertTrue(ODD_NAMES.every((name) => names.includes(name)));
  assertTrue(created.warnings.some((line) => line.includes(LYING_NAME)));
  assertTrue(ended.out.includes(hash!));
  const target = join(home.dir, "exports");
  const { path } = await tesJson<{ path: string }>(
    home.dataDir,
    ["export", created.hash, target],
  );
  const compared = await compareExport(folder, path, created.memories);
  assertEquals(compared.differences, []);
  assertEquals(compared.comparedFiles, names.length);
  await tesJson(home.dataDir, ["verify", path]);
  // No file of the export lies anywhere but in it, and none bears a name that a person chose.
  const outside = await Array.fromAsync(Deno.readDir(target));
  assertEquals(outside.map(({ name }) => name), [`tessera-${created.hash}`]);
  const meta = await Deno.readTextFile(join(path, "MANIFEST"));
  assertTrue(utf8(meta).every((byte) => byte === 0x0a || byte >= 0x20));
});
