/**
 * Remembers tesseras of 50 files, and with each a pointer, and prints the id of each that was acknowledged; for ever,
 * or as many as told. Six at a time, so that writes come to share transactions. Run by libsql_crash_test.ts.
 */
import { toHex } from "@tesseras/core";
import { Rows } from "@tesseras/testing/state_rows";
import { openLibsqlState } from "./libsql.ts";

const { signal } = new AbortController();
const [url, seed, worker, count = "Infinity"] = Deno.args;
const rows = new Rows(Number(seed));
const encoder = new TextEncoder();
await using state = await openLibsqlState(
  { url: url!, worker: worker === "worker" },
  signal,
);

let left = Number(count);
async function remember(): Promise<void> {
  while (left-- > 0) {
    const row = rows.tessera();
    const files = Array.from({ length: 50 }, () => rows.file());
    await state.addTessera(row, files, signal);
    await state.putPointers([rows.pointer({ tesseraId: row.id })], signal);
    Deno.stdout.writeSync(encoder.encode(toHex(row.id) + "\n"));
  }
}

await Promise.all(Array.from({ length: 6 }, remember));
