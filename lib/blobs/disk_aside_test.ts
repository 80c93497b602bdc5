import { join } from "node:path";
import { toHex } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { contentOf, keep, listed } from "@tesseras/testing/blobs";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();

async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_aside_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a process that dies while it asks whether a blob is needed has removed nothing", () =>
  withFolder(async (folder) => {
    const content = Uint8Array.of(1, 2, 3);
    await using blobs = await openDiskBlobs(folder, signal);
    const { hash } = await keep(blobs, content);
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const removing = blobs.removeUnless(hash, () => {
      asked.resolve();
      return answer.promise;
    }, signal);
    await asked.promise;
    assertEquals(await listed(blobs), []);
    // To whoever starts now, the other looks like one that died.
    await using next = await openDiskBlobs(folder, signal);
    assertEquals(await contentOf(next, hash), content);
    answer.resolve(false);
    await removing;
    assertEquals(await contentOf(next, hash), content);
    assertEquals([...Deno.readDirSync(join(folder, "leaving"))], []);
  }));

Deno.test("quarantine keeps every copy that rotted, each with its note", () =>
  withFolder(async (folder) => {
    await using blobs = await openDiskBlobs(folder, signal);
    const content = Uint8Array.of(1, 2, 3);
    const { hash } = await keep(blobs, content);
    const name = toHex(hash);
    const path = join(folder, name.slice(0, 2), name);
    for (const [round, rotten] of ["one", "another"].entries()) {
      await Deno.writeTextFile(path, rotten);
      const aside = await blobs.quarantine(hash, `round ${round}`, signal);
      assertTrue(aside);
      assertEquals(await Deno.readTextFile(aside), rotten);
      assertEquals(await Deno.readTextFile(`${aside}.txt`), `round ${round}\n`);
      assertEquals(await blobs.size(hash, signal), undefined);
      await keep(blobs, content);
    }
    assertEquals(
      [...Deno.readDirSync(join(folder, "quarantine"))].length,
      4,
    );
    assertEquals(await listed(blobs), [`${name} 3`]);
    await blobs.remove(hash, signal);
    assertEquals(await blobs.quarantine(hash, "nothing", signal), undefined);
  }));
