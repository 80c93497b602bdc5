/** State in libSQL, held to the contract in both of its threads; its refusals, limits, a full disk. Takes longer than most: every test makes a database. */
import { type ErrorCode, hash, nodeId } from "@tesseras/core";
import { assertEquals, assertRejectsCode } from "@tesseras/testing";
import { runOnTinyDisk } from "@tesseras/testing/children";
import { stateContract } from "@tesseras/testing/state";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";
import { LibsqlConnection } from "./libsql_connection.ts";
import { MIGRATIONS } from "./libsql_schema.ts";
import type { State } from "./state.ts";

const { signal } = new AbortController();

async function openFresh(worker: boolean): Promise<State> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras state #1 %20 " });
  const url = pathToFileURL(join(folder, "db", "tesseras.db")).href;
  const state = await openLibsqlState({ url, worker }, signal);
  const dispose = state[Symbol.asyncDispose].bind(state);
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      await dispose();
      await Deno.remove(folder, { recursive: true });
    },
  });
}

stateContract("libSQL in this thread", () => openFresh(false));
stateContract("libSQL in a thread of its own", () => openFresh(true));

async function withFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_state_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the database and its companions are for their owner's eyes only", () =>
  withFolder(async (folder) => {
    const home = join(folder, "db");
    const url = pathToFileURL(join(home, "tesseras.db")).href;
    await using state = await openLibsqlState({ url, worker: false }, signal);
    await state.putValue("a", Uint8Array.of(1), signal);
    assertEquals((await Deno.stat(home)).mode! & 0o777, 0o700);
    const names = [...Deno.readDirSync(home)].map((entry) => entry.name).sort();
    assertEquals(names, ["tesseras.db", "tesseras.db-shm", "tesseras.db-wal"]);
    for (const name of names) {
      assertEquals((await Deno.stat(join(home, name))).mode! & 0o777, 0o600);
    }
  }));

for (const worker of [false, true]) {
  const where = worker ? "a thread of its own" : "this thread";

  Deno.test(`what cannot be opened in ${where} is told in one sentence`, () =>
    withFolder(async (folder) => {
      const url = (name: string) => pathToFileURL(join(folder, name)).href;
      const refused = (url: string, code: ErrorCode, saw: RegExp) =>
        assertRejectsCode(openLibsqlState({ url, worker }, signal), code, saw);
      await Deno.writeTextFile(join(folder, "text"), "x".repeat(5_000));
      await refused(url("text"), "corrupt", /it is not a database/);
      await refused(url("text/db"), "unusable", /Cannot create database/);
      await refused("http://127.0.0.1:8080", "unusable", /wanted a file: URL/);
      await refused("file://elsewhere/a.db", "unusable", /Cannot/);
      const gone = AbortSignal.abort();
      await assertRejectsCode(
        openLibsqlState({ url: url("new"), worker }, gone),
        "cancelled",
      );
    }));

  Deno.test(`a database of a newer version is left alone in ${where}`, () =>
    withFolder(async (folder) => {
      const path = join(folder, "tesseras.db");
      const url = pathToFileURL(path).href;
      const bare = new LibsqlConnection(path, 0);
      bare.runOnce("PRAGMA user_version = 999");
      bare.close();
      await assertRejectsCode(
        openLibsqlState({ url, worker }, signal),
        "unusable",
        /written by a newer version of Tesseras \(schema 999, this one knows \d+\)/,
      );
    }));

  Deno.test(`shares are counted for what was kept before they were, in ${where}`, () =>
    withFolder(async (folder) => {
      const url = pathToFileURL(join(folder, "tesseras.db")).href;
      const bare = new LibsqlConnection(fileURLToPath(url), 0);
      const [ann, ben] = [
        new Uint8Array(20).fill(1),
        nodeId(new Uint8Array(20)),
      ];
      const fragment = "INSERT INTO fragment VALUES (?, ?, ?, ?, ?, ?, 1)";
      const args = (plan: number, index: number, owner: Uint8Array | null) => [
        Uint8Array.of(plan),
        BigInt(index),
        Uint8Array.of(9),
        Uint8Array.of(8),
        100n,
        owner,
      ];
      for (const sql of MIGRATIONS.slice(0, 2).flat()) bare.runOnce(sql);
      bare.runOnce("PRAGMA user_version = 2");
      bare.runOnce(
        "INSERT INTO plan VALUES (x'01', x'09', x'0000'), (x'02', x'09', x'000000')",
      );
      bare.run({ sql: fragment, args: args(1, 0, ann) });
      bare.run({ sql: fragment, args: args(1, 1, ann) });
      bare.run({ sql: fragment, args: args(2, 0, ann) });
      bare.run({ sql: fragment, args: args(2, 1, ben) });
      bare.run({ sql: fragment, args: args(2, 2, null) });
      bare.close();
      await using state = await openLibsqlState({ url, worker }, signal);
      assertEquals(await state.storedBytes(nodeId(ann), signal), 300 + 2 + 3);
      assertEquals(await state.storedBytes(ben, signal), 100 + 3);
      assertEquals(await state.storedBytes(undefined, signal), 400 + 8);
    }));

  Deno.test(`accounts are counted for what was kept before they were, in ${where}`, () =>
    withFolder(async (folder) => {
      const url = pathToFileURL(join(folder, "tesseras.db")).href;
      const bare = new LibsqlConnection(fileURLToPath(url), 0);
      const ann = nodeId(new Uint8Array(20).fill(1));
      // What a plan says of its fragments stands at 56: 0x01a2b3cf bytes.
      const plan = new Uint8Array(90).fill(0xee);
      plan.set([0x01, 0xa2, 0xb3, 0xcf], 56);
      const planHash = hash(new Uint8Array(32).fill(2));
      const fragment =
        "INSERT INTO fragment VALUES (?, ?, zeroblob(32), zeroblob(32), 100, ?, 7, NULL)";
      const placement = "INSERT INTO placement VALUES (?, ?, ?, x'07', 5)";
      for (const sql of MIGRATIONS.slice(0, 3).flat()) bare.runOnce(sql);
      bare.runOnce("PRAGMA user_version = 3");
      bare.run({
        sql: "INSERT INTO plan VALUES (?, zeroblob(32), ?)",
        args: [planHash, plan],
      });
      bare.run({ sql: fragment, args: [planHash, 0n, ann] });
      bare.run({ sql: fragment, args: [planHash, 1n, null] });
      bare.run({ sql: placement, args: [planHash, 1n, ann] });
      bare.run({ sql: placement, args: [planHash, 2n, ann] });
      bare.run({ sql: placement, args: [Uint8Array.of(6), 2n, ann] });
      bare.run({
        sql:
          "INSERT INTO publication VALUES (zeroblob(32), ?, 'replicated', 1)",
        args: [planHash],
      });
      bare.close();
      await using state = await openLibsqlState({ url, worker }, signal);
      assertEquals(await state.care.ledger(ann, signal), {
        peer: ann,
        weKeepBytes: 100,
        theyKeepBytes: 2 * 0x01a2b3cf,
        isInstitutional: false,
        firstSeenMs: 7,
      });
      const [first] = await state.care.placements(planHash, signal);
      const { bytes, ackedAtMs, lastSeenMs, lostAtMs } = first!;
      assertEquals([bytes, ackedAtMs, lastSeenMs], [0x01a2b3cf, 5, 5]);
      assertEquals(lostAtMs, undefined);
      const kept = await state.fragment(planHash, 0, signal);
      assertEquals(kept?.isRepair, false);
    }));

  Deno.test(`a state in ${where} finishes its writes before it closes, and then refuses`, () =>
    withFolder(async (folder) => {
      const url = pathToFileURL(join(folder, "tesseras.db")).href;
      const state = await openLibsqlState({ url, worker }, signal);
      const write = state.putValue("last", Uint8Array.of(1), signal);
      await state[Symbol.asyncDispose]();
      await write;
      await assertRejectsCode(state.tesseras(signal), "cancelled");
      await state[Symbol.asyncDispose]();
      await using again = await openLibsqlState({ url, worker }, signal);
      assertEquals(await again.value("last", signal), Uint8Array.of(1));
    }));
}

Deno.test("no more than 4,096 calls wait for the thread", () =>
  withFolder(async (folder) => {
    const url = pathToFileURL(join(folder, "tesseras.db")).href;
    await using state = await openLibsqlState({ url, worker: true }, signal);
    const calls = Array.from({ length: 4_097 }, () => state.value("a", signal));
    const last = calls.pop()!;
    await assertRejectsCode(last, "overloaded", /4096 calls/);
    await Promise.all(calls);
    assertEquals(await state.value("a", signal), undefined);
  }));

Deno.test("a full disk is told as such, and what was acknowledged is there", async () => {
  const output = await runOnTinyDisk(
    new URL("./libsql_full_for_tests.ts", import.meta.url),
  );
  if (output === undefined) return;
  assertEquals(JSON.parse(output), {
    failure: "diskFull",
    keptSome: true,
    allPresent: true,
  });
});
