import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { codeOf } from "@tesseras/core";
import { lockDataDir } from "./data_lock.ts";
import { temporaryFolder } from "./folder_for_tests.ts";

Deno.test("of many that start in the same moment one has the data directory", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/lock`;
  for (let round = 0; round < 5; round++) {
    const ends = await Promise.allSettled(
      Array.from({ length: 8 }, () => lockDataDir(path)),
    );
    const locks = ends.filter((end) => end.status === "fulfilled");
    assertEquals(locks.length, 1);
    for (const end of ends) {
      if (end.status === "rejected") assertEquals(codeOf(end.reason), "inUse");
    }
    // What is left of the round before does not matter, only who holds it.
    locks[0]!.value[Symbol.dispose]();
  }
});

Deno.test("a second node is told what to do", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/lock`;
  using _lock = await lockDataDir(path);
  const second = lockDataDir(path);
  await assertRejectsCode(
    second,
    "inUse",
    /already running .* stop it, or choose another with --data-dir$/,
  );
});

Deno.test("a folder without room for a lock is one sentence", async () => {
  await using folder = await temporaryFolder();
  const nowhere = lockDataDir(`${folder.path}/none/lock`);
  await assertRejectsCode(nowhere, "unusable", /^Cannot lock \S+none\/lock: /);
});
