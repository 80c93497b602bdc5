/** How fast the state answers, beside bare statements on the same database, and how soon it is there. */
import { report } from "@tesseras/bench";
import { Rows } from "@tesseras/testing/state_rows";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";
import { LibsqlConnection } from "./libsql_connection.ts";
import type { Statement } from "./sql.ts";
import type { State } from "./state.ts";

const { signal } = new AbortController();
const TESSERA_COUNT = 1_000;
const POINTER_COUNT = 10_000;
const POINTERS_PER_CALL = 250;

type Subject = { readonly state: State; readonly where: string };

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

async function bestMsOf(
  rounds: number,
  work: () => Promise<unknown>,
): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    best = Math.min(best, await msOf(work));
  }
  return best;
}

async function benchReads(
  { state, where }: Subject,
  bare: (statement: Statement) => unknown,
): Promise<void> {
  const rows = new Rows(1);
  const ids = Array.from({ length: TESSERA_COUNT }, () => rows.id());
  for (const id of ids) {
    await state.addTessera(rows.tessera({ id }), [rows.file()], signal);
  }
  const each = (read: (id: typeof ids[number]) => Promise<unknown>) =>
    bestMsOf(3, async () => {
      for (const id of ids) await read(id);
    });
  const reads = await each((id) => state.tessera(id, signal));
  const bareReads = await each((id) =>
    Promise.resolve(
      bare({ sql: "SELECT * FROM tessera WHERE id = ?", args: [id] }),
    )
  );
  report(
    {
      name: `state ${where}, point reads one by one`,
      value: 1e3 * ids.length / reads,
    },
    "reads/s",
    { name: "bare statement", value: 1e3 * ids.length / bareReads },
  );
  const listing = await bestMsOf(5, () => state.tesseras(signal));
  const bareListing = await bestMsOf(
    5,
    () =>
      Promise.resolve(bare({
        sql: "SELECT * FROM tessera ORDER BY added_at_ms DESC, id",
        args: [],
      })),
  );
  report(
    { name: `state ${where}, listing 1,000 tesseras`, value: listing },
    "ms",
    { name: "bare statement", value: bareListing },
  );
}

async function benchPointers(
  { state, where }: Subject,
  bare: (statements: readonly Statement[]) => unknown,
): Promise<void> {
  const rows = new Rows(2);
  const calls = Array.from(
    { length: POINTER_COUNT / POINTERS_PER_CALL },
    () => Array.from({ length: POINTERS_PER_CALL }, () => rows.pointer()),
  );
  const put = await msOf(async () => {
    for (const call of calls) await state.putPointers(call, signal);
  });
  const others = new Rows(3);
  const statements = calls.map((call) =>
    call.map((row) => ({
      sql: "INSERT INTO pointer VALUES (?, ?, ?, ?, ?, 1, 1, NULL)",
      args: [
        others.id(),
        row.holder,
        row.planHash,
        row.record,
        row.holderRecord,
      ],
    }))
  );
  const bareMs = await msOf(async () => {
    for (const call of statements) await bare(call);
  });
  report(
    {
      name: `state ${where}, pointers put 250 a call`,
      value: 1e3 * POINTER_COUNT / put,
    },
    "rows/s",
    { name: "one statement a row", value: 1e3 * POINTER_COUNT / bareMs },
  );
}

async function benchStart(url: string): Promise<void> {
  const program = new URL("./libsql_open_for_tests.ts", import.meta.url).href;
  const run = (args: string[]) =>
    bestMsOf(5, () => new Deno.Command(Deno.execPath(), { args }).output());
  const empty = "data:application/javascript,";
  const bare = await run(["run", "-A", empty]);
  for (
    const [owner, where] of [["here", "in process"], ["worker", "in a thread"]]
  ) {
    const took = await run(["run", "-A", program, url, owner!]);
    report(
      { name: `process that opens the state ${where}`, value: took },
      "ms",
      { name: "empty process", value: bare },
    );
  }
}

const folder = await Deno.makeTempDir({ prefix: "tesseras_bench_" });
try {
  const url = pathToFileURL(join(folder, "tesseras.db")).href;
  for (const worker of [false, true]) {
    const where = worker ? "in a thread" : "in process";
    await using state = await openLibsqlState({ url, worker }, signal);
    const bare = new LibsqlConnection(fileURLToPath(url), 5_000);
    const subject = { state, where };
    await benchReads(subject, (statement) => bare.run(statement));
    await benchPointers(
      subject,
      (list) => bare.transaction(() => list.forEach((one) => bare.run(one))),
    );
    bare.runOnce("DELETE FROM tessera");
    bare.runOnce("DELETE FROM pointer");
    bare.close();
  }
  await benchStart(url);
} finally {
  await Deno.remove(folder, { recursive: true });
}
