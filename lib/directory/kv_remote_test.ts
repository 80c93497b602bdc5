/** The directory in a denokv server, where one is installed. */
import { assertEquals } from "@tesseras/testing";
import { openDenokv } from "@tesseras/testing/denokv";
import { directoryContract, entryFor } from "@tesseras/testing/directory";
import { SeededRandom } from "@tesseras/core";
import { systemClock } from "@tesseras/core/system";
import type { Directory } from "./entry.ts";
import { openKvDirectory } from "./kv.ts";

const never = new AbortController().signal;
const parts = { clock: systemClock, random: new SeededRandom(1) };

await using probe = await openDenokv();

if (probe !== undefined) {
  directoryContract("KvDirectory over denokv", async (parts) => {
    const server = (await openDenokv())!;
    const directory = await openKvDirectory(server.url, parts, never);
    return {
      put: (entries, signal) => directory.put(entries, signal),
      sample: (count, signal) => directory.sample(count, signal),
      async [Symbol.asyncDispose]() {
        await directory[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    } satisfies Directory;
  });
}

Deno.test("two processes' directories in one denokv server are one", async () => {
  await using server = await openDenokv();
  if (server === undefined) return;
  await using one = await openKvDirectory(server.url, parts, never);
  await using other = await openKvDirectory(server.url, parts, never);
  const entry = entryFor(7, systemClock.nowMs());
  assertEquals(await one.put([entry], never), 1);
  assertEquals(await other.sample(9, never), [entry]);
});
