/** A store under SIGKILL while it is swept. Takes longer than most: it starts six processes. */
import { verify } from "@tesseras/blobs";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { parseHash, SeededRandom } from "@tesseras/core";
import { openLibsqlState } from "@tesseras/state/libsql";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { runUntilKilled } from "@tesseras/testing/children";

const { signal } = new AbortController();
const PROGRAM = new URL("./store_crash_for_tests.ts", import.meta.url);

Deno.test("no acknowledged fragment is lost when the store is killed at any moment, nor swept away when it is not", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_store_" });
  const random = new SeededRandom(3);
  const acknowledged = new Set<string>();
  try {
    for (let round = 0; round < 6; round++) {
      const lines = await runUntilKilled(
        PROGRAM,
        [folder, String(round)],
        1 + random.below(60),
      );
      for (const line of lines) acknowledged.add(line);
      await using blobs = await openDiskBlobs(`${folder}/blobs`, signal);
      await using state = await openLibsqlState(
        { url: `file://${folder}/db/tesseras.db`, worker: false },
        signal,
      );
      for (const hex of acknowledged) {
        const row = await state.fragment(parseHash(hex), 0, signal);
        assertTrue(row, `the row of ${hex} is there`);
        assertEquals(await verify(blobs, row.blob, signal), "ok", hex);
      }
    }
    assertTrue(acknowledged.size >= 6);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
