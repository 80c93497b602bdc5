/** A database of before proofs were noted. */
import { hash } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";
import { LibsqlConnection } from "./libsql_connection.ts";
import { MIGRATIONS } from "./libsql_schema.ts";

const { signal } = new AbortController();

Deno.test("of what was written down before, only what we published or audited counts as proved", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_proof_" });
  try {
    const path = join(folder, "tesseras.db");
    const bare = new LibsqlConnection(path, 0);
    const [ours, other] = [1, 2].map((at) => new Uint8Array(32).fill(at));
    const plan = "INSERT INTO plan VALUES (?, zeroblob(32), x'00')";
    const placement = `INSERT INTO placement (plan_hash, fragment_index, holder,
      record, acked_at_ms, bytes, last_seen_ms, lost_at_ms)
      VALUES (?, ?, zeroblob(20), x'07', 5, 9, ?, ?)`;
    const audit = "INSERT INTO audit VALUES (?, ?, zeroblob(20), 1, ?, '')";
    for (const sql of MIGRATIONS.slice(0, 4).flat()) bare.runOnce(sql);
    bare.runOnce("PRAGMA user_version = 4");
    bare.run({ sql: plan, args: [ours!] });
    bare.run({ sql: plan, args: [other!] });
    bare.run({ sql: placement, args: [ours!, 0n, 11n, null] });
    bare.run({ sql: placement, args: [ours!, 1n, 11n, 12n] });
    bare.run({ sql: placement, args: [other!, 0n, 21n, null] });
    bare.run({ sql: placement, args: [other!, 1n, 22n, null] });
    bare.run({ sql: placement, args: [other!, 2n, 23n, null] });
    bare.run({ sql: audit, args: [other!, 1n, "passed"] });
    bare.run({ sql: audit, args: [other!, 2n, "unanswered"] });
    bare.run({
      sql: "INSERT INTO publication VALUES (zeroblob(32), ?, 'healthy', 1)",
      args: [ours!],
    });
    bare.run({
      sql: "INSERT INTO watch VALUES (?, 1, 'idle', 1, 0, '')",
      args: [other!],
    });
    bare.close();
    const url = pathToFileURL(path).href;
    await using state = await openLibsqlState({ url, worker: false }, signal);
    const proved = async (planHash: Uint8Array) =>
      (await state.care.placements(hash(planHash), signal))
        .map(({ provedSinceMs }) => provedSinceMs);
    assertEquals(await proved(ours!), [11, undefined]);
    assertEquals(await proved(other!), [undefined, 22, undefined]);
    const watch = await state.care.watch(hash(other!), signal);
    assertEquals(watch?.watchedSinceMs, undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
