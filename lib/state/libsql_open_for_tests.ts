/** Opens the state it is told of, asks for one value, and ends. Run by libsql_bench.ts, which measures how long that takes. */
import { openLibsqlState } from "./libsql.ts";

const { signal } = new AbortController();
const [url, worker] = Deno.args;
await using state = await openLibsqlState(
  { url: url!, worker: worker === "worker" },
  signal,
);
await state.value("sequence", signal);
