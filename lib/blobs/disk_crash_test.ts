/** Blobs on disk under SIGKILL. Takes longer than most: it starts eight processes. */
import { parseHash, SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { listed } from "@tesseras/testing/blobs";
import { runUntilKilled } from "@tesseras/testing/children";
import { join } from "node:path";
import { verify } from "./blobs.ts";
import { openDiskBlobs } from "./disk.ts";

const { signal } = new AbortController();
const PROGRAM = new URL("./disk_crash_for_tests.ts", import.meta.url);

Deno.test("no acknowledged blob is lost, and no partial one is listed, when the process is killed at any moment", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_crash_" });
  const random = new SeededRandom(1);
  const acknowledged = new Set<string>();
  let leftoverCount = 0;
  try {
    for (let round = 0; round < 8; round++) {
      const lines = await runUntilKilled(
        PROGRAM,
        [folder, String(round)],
        1 + random.below(80),
      );
      for (const line of lines) acknowledged.add(line);
      leftoverCount += [...Deno.readDirSync(join(folder, "tmp"))].length;
      await using blobs = await openDiskBlobs(folder, signal);
      assertEquals([...Deno.readDirSync(join(folder, "tmp"))], []);
      for (const hex of acknowledged) {
        assertEquals(await verify(blobs, parseHash(hex), signal), "ok", hex);
      }
      for (const line of await listed(blobs)) {
        const hash = parseHash(line.slice(0, 64));
        assertEquals(await verify(blobs, hash, signal), "ok", line);
      }
    }
    assertTrue(acknowledged.size >= 8);
    // Each of the killed left its temporary folder behind, so clearing was put to work.
    assertEquals(leftoverCount, 8);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
