/** Fills the small disk it is given with values, and prints what came of it. Run by libsql_test.ts. */
import { codeOf, SeededRandom } from "@tesseras/core";
import { pathToFileURL } from "node:url";
import { openLibsqlState } from "./libsql.ts";

const { signal } = new AbortController();
const random = new SeededRandom(1);
const url = pathToFileURL(`${Deno.args[0]}/db/tesseras.db`).href;
const kept: string[] = [];
let failure: string | undefined;
{
  await using state = await openLibsqlState({ url, worker: true }, signal);
  for (let at = 0; failure === undefined; at++) {
    try {
      await state.putValue(String(at), random.bytes(30_000), signal);
      kept.push(String(at));
    } catch (error) {
      failure = codeOf(error) ?? String(error);
    }
  }
}
await using state = await openLibsqlState({ url, worker: false }, signal);
const present = await Promise.all(
  kept.map((name) => state.value(name, signal)),
);
console.log(JSON.stringify({
  failure,
  keptSome: kept.length > 3,
  allPresent: present.every((bytes) => bytes?.length === 30_000),
}));
