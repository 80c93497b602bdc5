/** One connection to libSQL: its statements are kept, and whatever became of one the next finds it in order. */
import { hash } from "@tesseras/core";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { join } from "node:path";
import { LibsqlConnection, rawCodeOf } from "./libsql_connection.ts";
import { MIGRATIONS } from "./libsql_schema.ts";
import { fragmentsOfPlan } from "./libsql_statements.ts";
import type { Statement } from "./sql.ts";

const SQLITE_BUSY = 5;
const SQLITE_CONSTRAINT = 19;

async function withFile(test: (path: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_connection_" });
  try {
    test(join(folder, "a.db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs work on a connection to a table of small numbers that are each there once. */
function withNumbers(path: string, work: (on: LibsqlConnection) => void): void {
  const on = new LibsqlConnection(path, 0);
  on.runOnce("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY)");
  try {
    work(on);
  } finally {
    on.close();
  }
}

const insert = (n: number): Statement => ({
  sql: "INSERT INTO number VALUES (?)",
  args: [BigInt(n)],
});
const from = (n: number): Statement => ({
  sql: "SELECT n FROM number WHERE n >= ? ORDER BY n",
  args: [BigInt(n)],
});

function codeOfFailure(work: () => unknown): number | undefined {
  try {
    work();
  } catch (error) {
    return rawCodeOf(error);
  }
  return undefined;
}

Deno.test("a statement that is run again gives what is there now, for what it is asked now, and all of it", () =>
  withFile((path) =>
    withNumbers(path, (on) => {
      on.transaction(() => {
        for (let n = 0; n < 450; n++) on.run(insert(n));
      });
      for (const first of [0, 449, 450, 1, 200]) {
        const wanted = Array.from(
          { length: 450 - first },
          (_, at) => [BigInt(first + at)],
        );
        assertEquals(on.run(from(first)), wanted);
      }
      on.runOnce("DELETE FROM number WHERE n < 449");
      assertEquals(on.run(from(0)), [[449n]]);
      // Of another shape than the table it was prepared for.
      on.runOnce("ALTER TABLE number ADD COLUMN more TEXT");
      assertEquals(on.run(from(0)), [[449n]]);
    })
  ));

Deno.test("a transaction that fails leaves nothing, and the same statements go on afterwards", () =>
  withFile((path) =>
    withNumbers(path, (on) => {
      on.run(insert(1));
      for (let time = 0; time < 3; time++) {
        const failed = codeOfFailure(() =>
          on.transaction(() => {
            on.run(insert(2));
            on.run(insert(1));
          })
        );
        assertEquals(failed, SQLITE_CONSTRAINT);
        assertEquals(on.run(from(0)), [[1n]]);
      }
      on.transaction(() => on.run(insert(2)));
      assertEquals(on.run(from(0)), [[1n], [2n]]);
    })
  ));

Deno.test("a statement that was run to its end is in nobody's way", () =>
  withFile((path) =>
    withNumbers(path, (one) => {
      one.runOnce("PRAGMA journal_mode = WAL");
      for (let n = 0; n < 250; n++) one.run(insert(n));
      one.run(from(0));
      withNumbers(path, (other) => {
        other.run(insert(250));
        assertEquals(one.run(from(249)), [[249n], [250n]]);
        // Fails with rows left over while somebody still reads what the log would be cut off for.
        const [checkpoint] = other.runOnce("PRAGMA wal_checkpoint(TRUNCATE)");
        assertEquals(checkpoint, [0n, 0n, 0n]);
        const busy = one.transaction(() => {
          one.run(insert(251));
          return codeOfFailure(() => other.transaction(() => {}));
        });
        assertEquals(busy, SQLITE_BUSY);
        other.transaction(() => other.run(insert(252)));
      });
      assertEquals(one.run(from(250)), [[250n], [251n], [252n]]);
    })
  ));

Deno.test("texts that are each run once push out no more than their own place", () =>
  withFile((path) =>
    withNumbers(path, (on) => {
      on.run(insert(7));
      for (let n = 0; n < 1_000; n++) {
        assertEquals(on.run({ sql: `SELECT ${n}`, args: [] }), [[BigInt(n)]]);
      }
      assertEquals(on.run(from(0)), [[7n]]);
    })
  ));

Deno.test("values come back as they went in, in memory of their own", () =>
  withFile((path) => {
    const on = new LibsqlConnection(path, 0);
    on.runOnce("CREATE TABLE t (a ANY, b ANY, c ANY, d ANY) STRICT");
    const args = [Uint8Array.of(1, 2), 2n ** 53n + 1n, "\u{1f5ff}", null];
    on.run({ sql: "INSERT INTO t VALUES (?, ?, ?, ?)", args });
    const [row] = on.run({ sql: "SELECT * FROM t", args: [] });
    assertEquals(row, args);
    const bytes = row![0] as Uint8Array;
    assertEquals(bytes.constructor, Uint8Array);
    on.close();
    assertEquals(bytes, Uint8Array.of(1, 2));
  }));

Deno.test("the fragments of a plan are found by its hash and sorted by nobody", () =>
  withFile((path) => {
    const on = new LibsqlConnection(path, 0);
    for (const sql of MIGRATIONS.flat()) on.runOnce(sql);
    const { sql, args } = fragmentsOfPlan(hash(new Uint8Array(32)));
    const steps = on.run({ sql: `EXPLAIN QUERY PLAN ${sql}`, args })
      .map((step) => String(step.at(-1)));
    on.close();
    assertEquals(steps.length, 1, steps.join("; "));
    assertTrue(/USING PRIMARY KEY \(plan_hash=\?\)/.test(steps[0]!), steps[0]!);
  }));

Deno.test("a connection that was closed leaves nothing to be written back later into what lies there then", () =>
  withFile((path) => {
    withNumbers(path, (on) => {
      on.runOnce("PRAGMA journal_mode = WAL");
      on.transaction(() => on.run(insert(5)));
    });
    Deno.copyFileSync(path, `${path}.copy`);
    withNumbers(`${path}.copy`, (on) => {
      assertEquals(on.run(from(0)), [[5n]]);
    });
  }));
