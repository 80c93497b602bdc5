/** The version in a database file, beside what SQLite itself says of it. */
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@tesseras/testing";
import { Home } from "./home_for_tests.ts";
import { userVersionOf } from "./sqlite_head.ts";

Deno.test("the version is found in the file, and in the log while it waits there", async () => {
  await using home = await Home.empty();
  const path = `${home.path}/a.db`;
  {
    using database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 3; CREATE TABLE t (x)");
    assertEquals(await userVersionOf(path), 3);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    assertEquals(await userVersionOf(path), 3);
    database.exec("PRAGMA user_version = 5");
    database.exec("INSERT INTO t VALUES (zeroblob(100000))");
    assertEquals(await userVersionOf(path), 5);
    database.exec("PRAGMA wal_checkpoint(RESTART)");
    database.exec("INSERT INTO t VALUES (1)");
    assertEquals(await userVersionOf(path), 5);
    database.exec("BEGIN; PRAGMA user_version = 9");
    assertEquals(await userVersionOf(path), 5);
    database.exec("ROLLBACK");
  }
  assertEquals(await userVersionOf(path), 5);
});

Deno.test("what is no database has no version, and an empty file is a new one", async () => {
  await using home = await Home.empty();
  const path = `${home.path}/a.db`;
  await Deno.writeFile(path, new Uint8Array(0));
  assertEquals(await userVersionOf(path), 0);
  for (const text of ["SQLite format 3\0", "rubbish ".repeat(100)]) {
    await Deno.writeTextFile(path, text);
    assertEquals(await userVersionOf(path), undefined);
  }
});
