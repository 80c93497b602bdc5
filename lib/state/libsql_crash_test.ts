/** State in libSQL under SIGKILL, and shared by processes. Takes longer than most: it starts twelve processes. */
import { parseTesseraId, SeededRandom } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { runToEnd, runUntilKilled } from "@tesseras/testing/children";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";
import type { State } from "./state.ts";

const { signal } = new AbortController();
const PROGRAM = new URL("./libsql_crash_for_tests.ts", import.meta.url);

async function withDatabase(
  test: (url: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_state_" });
  try {
    await test(pathToFileURL(join(folder, "db", "tesseras.db")).href);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function assertComplete(
  state: State,
  ids: Iterable<string>,
): Promise<void> {
  for (const hex of ids) {
    const id = parseTesseraId(hex);
    assertEquals((await state.tessera(id, signal))?.id, id);
    assertEquals((await state.pointers(id, signal)).length, 1);
  }
  for (const { id } of await state.tesseras(signal)) {
    assertEquals((await state.filesOf(id, signal)).length, 50);
  }
}

Deno.test("nothing acknowledged is lost, and no part of a tessera is seen, when the process is killed at any moment", () =>
  withDatabase(async (url) => {
    const random = new SeededRandom(2);
    const acknowledged = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const thread = round % 2 === 0 ? "worker" : "here";
      const lines = await runUntilKilled(
        PROGRAM,
        [url, String(round), thread],
        1 + random.below(60),
      );
      for (const line of lines) acknowledged.add(line);
      await using state = await openLibsqlState({ url, worker: false }, signal);
      await assertComplete(state, acknowledged);
    }
    assertTrue(acknowledged.size >= 8);
  }));

Deno.test("four processes that start and write at once wait for each other", () =>
  withDatabase(async (url) => {
    const runs = await Promise.all([10, 11, 12, 13].map((seed) => {
      const thread = seed % 2 === 0 ? "worker" : "here";
      return runToEnd(PROGRAM, [url, String(seed), thread, "40"]);
    }));
    await using state = await openLibsqlState({ url, worker: false }, signal);
    assertEquals((await state.tesseras(signal)).length, 160);
    assertEquals(await state.pointerCount(signal), 160);
    await assertComplete(state, runs.flat());
  }));
