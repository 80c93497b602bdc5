/** Writes that share transactions, over a real database. */
import { type ErrorCode, TesserasError } from "@tesseras/core";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { join } from "node:path";
import { GroupCommit } from "./group_commit.ts";
import { openDatabase } from "./libsql_database.ts";
import { statement } from "./libsql_columns.ts";
import type { Database, Statement } from "./sql.ts";

const { signal: never } = new AbortController();

/** A database that counts its transactions, and fails one when told. */
async function opened() {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_group_" });
  const inner = await openDatabase(join(folder, "a.db"), never);
  const sizes: number[] = [];
  let failure: TesserasError | undefined;
  const counting: Database = {
    write(statements, signal) {
      sizes.push(statements.length);
      const error = failure;
      failure = undefined;
      return error === undefined
        ? inner.write(statements, signal)
        : Promise.reject(error);
    },
    read: (query, signal) => inner.read(query, signal),
    async [Symbol.asyncDispose]() {
      await inner[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
  const fail = (code: ErrorCode): void => {
    failure = new TesserasError(code, "Cannot write");
  };
  return { database: new GroupCommit(counting), sizes, fail };
}

function remember(name: string): readonly Statement[] {
  return [
    statement("INSERT INTO value VALUES (?, ?)", name, new Uint8Array()),
    statement("SELECT name FROM value WHERE name = ?", name),
  ];
}

async function names(database: Database): Promise<readonly unknown[]> {
  const all = statement("SELECT name FROM value ORDER BY name");
  return (await database.read(all, never)).map(([name]) => name);
}

Deno.test("writes that come while one is written share the next transaction, and each gets its own rows", async () => {
  const { database, sizes } = await opened();
  await using _database = database;
  const wanted = Array.from({ length: 20 }, (_, at) => String(at));
  const results = await Promise.all(
    wanted.map((name) => database.write(remember(name), never)),
  );
  assertEquals(results.map((rows) => rows[1]?.[0]?.[0]), wanted);
  assertEquals(sizes, [2, 38]);
});

Deno.test("one that cannot be written takes none of its group with it", async () => {
  const { database } = await opened();
  await using _database = database;
  const settled = await Promise.allSettled(
    ["a", "b", "c", "b", "d"].map((name) =>
      database.write(remember(name), never)
    ),
  );
  assertEquals(settled.map(({ status }) => status), [
    "fulfilled",
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  assertEquals(await names(database), ["a", "b", "c", "d"]);
});

Deno.test("a locked database is told to the whole group at once, a full disk to each that does not fit", async () => {
  const { database, sizes, fail } = await opened();
  await using _database = database;
  const first = database.write(remember("first"), never);
  fail("overloaded");
  await Promise.all(
    ["a", "b", "c"].map((name) =>
      assertRejectsCode(database.write(remember(name), never), "overloaded")
    ),
  );
  await first;
  assertEquals(sizes, [2, 6]);
  const second = database.write(remember("second"), never);
  fail("diskFull");
  await Promise.all(
    ["a", "b"].map((name) => database.write(remember(name), never)),
  );
  await second;
  assertEquals(sizes, [2, 6, 2, 4, 2, 2]);
  assertEquals(await names(database), ["a", "b", "first", "second"]);
});

Deno.test("a group of which nobody knows what became is tried again by nobody", async () => {
  const { database, sizes, fail } = await opened();
  await using _database = database;
  for (const code of ["timeout", "unreachable", "inUse"] as const) {
    const first = database.write(remember(code), never);
    fail(code);
    await Promise.all(
      ["a", "b"].map((name) =>
        assertRejectsCode(database.write(remember(name), never), code)
      ),
    );
    await first;
  }
  assertEquals(sizes, [2, 4, 2, 4, 2, 4]);
  assertEquals(await names(database), ["inUse", "timeout", "unreachable"]);
});

Deno.test("who stops waiting before their turn writes nothing, and closing waits for the rest", async () => {
  const { database } = await opened();
  const stop = new AbortController();
  const before = database.write(remember("before"), never);
  const stopped = assertRejectsCode(
    database.write(remember("stopped"), stop.signal),
    "cancelled",
  );
  const after = database.write(remember("after"), never);
  stop.abort();
  await stopped;
  await Promise.all([before, after]);
  assertEquals(await names(database), ["after", "before"]);
  const last = database.write(remember("last"), never);
  await database[Symbol.asyncDispose]();
  await last;
});
