/** Blobs on disk: the contract, and what other processes, rot and a full disk do to them. */
import { SeededRandom, toHex } from "@tesseras/core";
import { BULK_BYTES_MAX } from "@tesseras/core/limits";
import { blake3 } from "@tesseras/crypto";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { blobsContract, keep, listed } from "@tesseras/testing/blobs";
import { runOnTinyDisk } from "@tesseras/testing/children";
import { join } from "node:path";
import { readAll, verify } from "./blobs.ts";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();

blobsContract("blobs on disk", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_blobs_" });
  const blobs = await openDiskBlobs(folder, signal);
  const dispose = blobs[Symbol.asyncDispose].bind(blobs);
  return Object.assign(blobs, {
    async [Symbol.asyncDispose]() {
      await dispose();
      // What is open is closed, what is temporary is gone: only blobs are left.
      const left = await filesIn(folder);
      assertTrue(
        left.every((path) => /^[0-9a-f]{2}\/[0-9a-f]{64}$/.test(path)),
      );
      await Deno.remove(folder, { recursive: true });
    },
  });
});

async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_blobs_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function filesIn(folder: string, under = ""): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(join(folder, under))) {
    const path = join(under, entry.name);
    if (entry.isDirectory) paths.push(...await filesIn(folder, path));
    else paths.push(path);
  }
  return paths.sort();
}

Deno.test("a blob lies under its hash, for its owner's eyes only", () =>
  withFolder(async (folder) => {
    const home = join(folder, "data", "blobs");
    await using blobs = await openDiskBlobs(home, signal);
    const { hash } = await keep(blobs, Uint8Array.of(7));
    const name = toHex(hash);
    const path = join(home, name.slice(0, 2), name);
    assertEquals(await Deno.readFile(path), Uint8Array.of(7));
    const modeOf = async (each: string) =>
      (await Deno.stat(each)).mode! & 0o777;
    assertEquals(await modeOf(path), 0o600);
    assertEquals(await modeOf(home), 0o700);
    assertEquals(await modeOf(join(home, name.slice(0, 2))), 0o700);
  }));

Deno.test("blobs survive their process, and strangers' files are not listed", () =>
  withFolder(async (folder) => {
    const content = new SeededRandom(1).bytes(1_000);
    {
      await using blobs = await openDiskBlobs(folder, signal);
      await keep(blobs, content);
    }
    await Deno.mkdir(join(folder, "00"), { recursive: true });
    await Deno.writeTextFile(join(folder, "00", "README"), "hello");
    await Deno.writeTextFile(join(folder, "tmp", "stray"), "hello");
    await using blobs = await openDiskBlobs(folder, signal);
    assertEquals((await listed(blobs)).length, 1);
  }));

Deno.test("two owners of one folder leave each other's temporary files alone", () =>
  withFolder(async (folder) => {
    await using first = await openDiskBlobs(folder, signal);
    await using writer = await first.create(signal);
    await writer.write(Uint8Array.of(1, 2), signal);
    await using scratch = await first.scratch(10, signal);
    {
      await using second = await openDiskBlobs(folder, signal);
      await keep(second, Uint8Array.of(3));
    }
    await scratch.write(0, Uint8Array.of(9), signal);
    const { hash } = await writer.commit(signal);
    await using third = await openDiskBlobs(folder, signal);
    assertEquals(await verify(third, hash, signal), "ok");
    assertEquals((await listed(third)).length, 2);
  }));

Deno.test("what a dead process left unfinished is cleared at the next start", () =>
  withFolder(async (folder) => {
    const session = join(folder, "tmp", "dead");
    await Deno.mkdir(session, { recursive: true });
    await Deno.writeFile(join(session, "lock"), new Uint8Array(0));
    await Deno.writeFile(join(session, "0"), new Uint8Array(100));
    await Deno.mkdir(join(folder, "tmp", "died early"));
    await using _blobs = await openDiskBlobs(folder, signal);
    assertEquals(await filesIn(folder), []);
    assertEquals([...Deno.readDirSync(join(folder, "tmp"))], []);
  }));

Deno.test("a blob that rotted, shrank or grew is told apart, and heals when committed again", () =>
  withFolder(async (folder) => {
    await using blobs = await openDiskBlobs(folder, signal);
    const content = new SeededRandom(2).bytes(3_000_000);
    const { hash } = await keep(blobs, content);
    const name = toHex(hash);
    const path = join(folder, name.slice(0, 2), name);
    const rotten = content.slice();
    rotten[2_999_999]! ^= 128;
    const longer = new Uint8Array(3_000_001);
    longer.set(content);
    for (
      const bad of [rotten, longer, content.subarray(1), new Uint8Array(0)]
    ) {
      await Deno.writeFile(path, bad);
      assertEquals(await verify(blobs, hash, signal), "corrupt");
      await keep(blobs, content);
      assertEquals(await verify(blobs, hash, signal), "ok");
    }
  }));

Deno.test("readAll refuses a blob that shrinks under it, and one too large for memory", () =>
  withFolder(async (folder) => {
    await using blobs = await openDiskBlobs(folder, signal);
    const { hash } = await keep(blobs, new Uint8Array(5_000));
    const name = toHex(hash);
    const path = join(folder, name.slice(0, 2), name);
    await using reader = await blobs.open(hash, signal);
    assertTrue(reader);
    await Deno.truncate(path, 10);
    await assertRejectsCode(readAll(reader, signal), "corrupt", /10 of 5000/);
    await Deno.truncate(path, BULK_BYTES_MAX + 1);
    await using large = await blobs.open(hash, signal);
    assertTrue(large);
    await assertRejectsCode(readAll(large, signal), "unusable", /limit/);
  }));

Deno.test("a folder that cannot be used is told in one sentence", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    await assertRejectsCode(openDiskBlobs(file, signal), "unusable", /Cannot/);
    await using blobs = await openDiskBlobs(join(folder, "b"), signal);
    await using writer = await blobs.create(signal);
    await writer.write(Uint8Array.of(1), signal);
    // A file where the shard's folder should be.
    const shard = toHex(blake3(Uint8Array.of(1))).slice(0, 2);
    await Deno.writeTextFile(join(folder, "b", shard), "");
    const { hash } = await keep(blobs, new Uint8Array(1));
    assertTrue(await blobs.size(hash, signal) === 1);
    await assertRejectsCode(writer.commit(signal), "unusable", /Cannot make/);
  }));

Deno.test("no more than 384 files are open at once; the next waits for its turn", () =>
  withFolder(async (folder) => {
    await using blobs = await openDiskBlobs(folder, signal);
    await using stack = new AsyncDisposableStack();
    for (let count = 0; count < 384; count++) {
      stack.use(await blobs.create(signal));
    }
    const impatient = new AbortController();
    const waiting = blobs.create(impatient.signal);
    impatient.abort();
    await assertRejectsCode(waiting, "cancelled");
    const patient = keep(blobs, Uint8Array.of(1));
    await stack.disposeAsync();
    assertEquals((await patient).bytes, 1);
  }));

Deno.test("a full disk is told as such, and what was kept stays whole", async () => {
  const output = await runOnTinyDisk(
    new URL("./disk_full_for_tests.ts", import.meta.url),
  );
  if (output === undefined) return;
  assertEquals(JSON.parse(output), {
    write: "diskFull",
    scratch: "diskFull",
    keptBefore: "ok",
    listed: 1,
    keptAfter: "ok",
  });
});
