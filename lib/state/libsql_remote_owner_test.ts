/** Whose database it is in a libSQL server: one node's, one process's at a time, and no write comes late. */
import { type NodeId, nodeId, toHex, utf8 } from "@tesseras/core";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import {
  type Json,
  type LibsqlServer,
  openLibsqlServer,
} from "@tesseras/testing/libsql";
import { statement } from "./libsql_columns.ts";
import { openRemoteDatabase, type RemoteDatabase } from "./libsql_remote.ts";
import { MIGRATIONS } from "./libsql_schema.ts";
import type { Statement } from "./sql.ts";

const { signal } = new AbortController();
const ann = nodeId(new Uint8Array(20).fill(1));
const ben = nodeId(new Uint8Array(20).fill(2));

function openOn(
  server: LibsqlServer,
  more: { readonly node?: NodeId; readonly database?: Uint8Array } = {},
): Promise<RemoteDatabase> {
  const url = server.url("one");
  return openRemoteDatabase(
    { url, token: undefined, node: ann, ...more },
    signal,
  );
}

const put = (name: string, text: string): Statement =>
  statement(
    "INSERT INTO value VALUES (?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
    name,
    utf8(text),
  );
const get = (name: string) =>
  statement("SELECT CAST(bytes AS TEXT) FROM value WHERE name = ?", name);

Deno.test("a database is of one node, by whatever way another comes", async () => {
  await using server = await openLibsqlServer();
  await using first = await openOn(server);
  await assertRejectsCode(
    openOn(server, { node: ben }),
    "unusable",
    new RegExp(`belongs to node ${toHex(ann)}; give every node a database`),
  );
  await first.write([put("a", "1")], signal);
  assertEquals(await first.read(get("a"), signal), [["1"]]);
});

Deno.test("a node that has had one database takes no other, and none that is empty", async () => {
  await using server = await openLibsqlServer();
  const database = new Uint8Array(16).fill(7);
  await assertRejectsCode(
    openOn(server, { database }),
    "unusable",
    /the database is empty, and not the one that this node has had/,
  );
  const first = await openOn(server);
  await first[Symbol.asyncDispose]();
  await assertRejectsCode(
    openOn(server, { database }),
    "unusable",
    /not the one that this node has had/,
  );
  await using again = await openOn(server, { database: first.database });
  assertEquals(again.database, first.database);
});

Deno.test("the process that opened it last has it; the one before can neither write nor read, and is told", async () => {
  await using server = await openLibsqlServer();
  await using first = await openOn(server);
  await first.write([put("a", "first")], signal);
  await using second = await openOn(server);
  const told = /another process of this node has opened the database/;
  await assertRejectsCode(
    first.write([put("a", "late")], signal),
    "inUse",
    told,
  );
  await assertRejectsCode(first.read(get("a"), signal), "inUse", told);
  assertEquals((await first.lost).code, "inUse");
  assertEquals(await second.read(get("a"), signal), [["first"]]);
  await second.write([put("a", "second")], signal);
  assertEquals(await second.read(get("a"), signal), [["second"]]);
});

Deno.test("a write whose answer was lost is done once, and what comes after it stays", async () => {
  await using server = await openLibsqlServer();
  await using database = await openOn(server);
  server.bend = ({ perform }) => {
    perform();
    return new Response("lost", { status: 503 });
  };
  await assertRejectsCode(
    database.write([put("a", "unsure")], signal),
    "overloaded",
  );
  server.bend = undefined;
  assertEquals(await database.read(get("a"), signal), [["unsure"]]);
  await database.write([put("a", "sure")], signal);
  assertEquals(await database.read(get("a"), signal), [["sure"]]);
});

Deno.test("a write that reaches the database after a later one is refused", async () => {
  await using server = await openLibsqlServer();
  await using database = await openOn(server);
  let late: () => Json = () => undefined;
  server.bend = ({ perform }) => {
    late = perform;
    return new Response("held up", { status: 503 });
  };
  const unsure = database.write([put("a", "old")], signal);
  await assertRejectsCode(unsure, "overloaded");
  server.bend = undefined;
  await database.write([put("a", "new")], signal);
  const { results } = late();
  const batch = results.find((one: Json) => one.response.type === "batch");
  assertEquals(batch.response.result.step_errors[1].code, "SQLITE_CONSTRAINT");
  assertEquals(await database.read(get("a"), signal), [["new"]]);
});

Deno.test("an answer from before what was acknowledged is refused, and so is a write on it", async () => {
  await using server = await openLibsqlServer();
  await using database = await openOn(server);
  await database.write([put("a", "1")], signal);
  server.run("one", "UPDATE tesseras SET turn = 0");
  const told = /does not know what it acknowledged/;
  await assertRejectsCode(database.read(get("a"), signal), "unusable", told);
  await assertRejectsCode(
    database.write([put("a", "2")], signal),
    "unusable",
    told,
  );
});

Deno.test("two that open an empty database at once make it once, and one of them has it", async () => {
  await using server = await openLibsqlServer();
  const both = await Promise.allSettled([openOn(server), openOn(server)]);
  const opened = both.flatMap((one) =>
    one.status === "fulfilled" ? [one.value] : []
  );
  assertEquals(opened.length, 2);
  assertEquals(opened[0]!.database, opened[1]!.database);
  const writes = await Promise.allSettled(
    opened.map((one) => one.write([put("a", "1")], signal)),
  );
  assertEquals(writes.filter((one) => one.status === "fulfilled").length, 1);
  for (const one of opened) await one[Symbol.asyncDispose]();
});

Deno.test("a database of an earlier version is migrated once, whoever comes at once, and keeps its rows", async () => {
  await using server = await openLibsqlServer();
  const first = await openOn(server);
  await first[Symbol.asyncDispose]();
  const kept = server.run("one", "SELECT database, node FROM tesseras")[0];
  // As the version before the last left it.
  const names = server.run(
    "one",
    "SELECT type, name FROM sqlite_schema WHERE name <> 'tesseras' AND sql IS NOT NULL ORDER BY type = 'table', rowid DESC",
  );
  for (const kind of ["trigger", "index", "table"]) {
    for (const { type, name } of names) {
      if (type === kind) server.run("one", `DROP ${type} ${name}`);
    }
  }
  for (const sql of MIGRATIONS.slice(0, -1).flat()) server.run("one", sql);
  server.run("one", `UPDATE tesseras SET schema = ${MIGRATIONS.length - 1}`);
  server.run("one", "INSERT INTO value VALUES ('a', CAST('kept' AS BLOB))");
  const opened = await Promise.all([openOn(server), openOn(server)]);
  await Promise.allSettled(opened.map((one) => one[Symbol.asyncDispose]()));
  await using database = await openOn(server);
  assertEquals(await database.read(get("a"), signal), [["kept"]]);
  const struck = statement("SELECT count(*) FROM struck");
  assertEquals(await database.read(struck, signal), [[0n]]);
  const after = server.run(
    "one",
    "SELECT database, node, schema FROM tesseras",
  );
  assertEquals(after, [{ ...kept, schema: MIGRATIONS.length }]);
});

Deno.test("a database of a newer version, or of something else, is left alone", async () => {
  await using server = await openLibsqlServer();
  server.run("one", "CREATE TABLE guests (name TEXT)");
  await assertRejectsCode(openOn(server), "unusable", /tables of something/);
  server.run("one", "DROP TABLE guests");
  const first = await openOn(server);
  await first[Symbol.asyncDispose]();
  server.run("one", "UPDATE tesseras SET schema = 999");
  await assertRejectsCode(openOn(server), "unusable", /a newer version of/);
  server.run("one", "DELETE FROM tesseras");
  await assertRejectsCode(openOn(server), "unusable", /no longer says whose/);
});

Deno.test("where foreign keys are not enforced nothing is written", async () => {
  let areOn = false;
  await using server = await openLibsqlServer({ foreignKeys: () => areOn });
  const told = /does not enforce foreign keys/;
  await assertRejectsCode(openOn(server), "unusable", told);
  areOn = true;
  await using database = await openOn(server);
  await database.write([put("a", "1")], signal);
  areOn = false;
  await assertRejectsCode(
    database.write([put("a", "2")], signal),
    "unusable",
    told,
  );
  await assertRejectsCode(database.read(get("a"), signal), "unusable", told);
  areOn = true;
  assertEquals(await database.read(get("a"), signal), [["1"]]);
});

Deno.test("a row that refers to nothing is refused with its whole transaction", async () => {
  await using server = await openLibsqlServer();
  await using database = await openOn(server);
  const orphan = statement(
    "INSERT INTO file VALUES (zeroblob(32), 0, 'a', zeroblob(32), 1)",
  );
  await assertRejectsCode(
    database.write([put("a", "1"), orphan], signal),
    "corrupt",
    /it refused a row/,
  );
  assertEquals(await database.read(get("a"), signal), []);
  await database.write([put("a", "2")], signal);
});

Deno.test("writes come in the order in which they were asked for, and are done before it closes", async () => {
  await using server = await openLibsqlServer();
  const database = await openOn(server);
  const writes = Array.from(
    { length: 20 },
    (_, at) => database.write([put("a", String(at))], signal),
  );
  await database[Symbol.asyncDispose]();
  const ends = await Promise.allSettled(writes);
  const done = ends.filter((one) => one.status === "fulfilled").length;
  await assertRejectsCode(database.write([put("a", "x")], signal), "cancelled");
  await using again = await openOn(server);
  assertEquals(done, 20);
  assertEquals(await again.read(get("a"), signal), [["19"]]);
});
