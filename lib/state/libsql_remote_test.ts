/**
 * State in a libSQL server, held to the contract over real HTTP: with the server of our tests, and with the one that
 * `LIBSQL_TEST_URL` names (and `LIBSQL_TEST_TOKEN` opens), whose database is emptied. Takes longer than most: every test makes a
 * database.
 */
import { createClient } from "@libsql/client/http";
import { nodeId } from "@tesseras/core";
import { assertTrue } from "@tesseras/testing";
import { openLibsqlServer } from "@tesseras/testing/libsql";
import { stateContract } from "@tesseras/testing/state";
import { openServerState } from "./libsql.ts";
import type { State } from "./state.ts";

const { signal } = new AbortController();
const node = nodeId(new Uint8Array(20).fill(1));

function andThen(state: State, end: () => PromiseLike<void>): State {
  const dispose = state[Symbol.asyncDispose].bind(state);
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      await dispose();
      await end();
    },
  });
}

stateContract("libSQL in a server", async () => {
  const token = "a.b.c";
  const server = await openLibsqlServer({ token });
  const { state } = await openServerState(
    { url: server.url("one"), token, node },
    signal,
  );
  return andThen(state, () => server[Symbol.asyncDispose]());
});

const url = Deno.env.get("LIBSQL_TEST_URL");
const token = Deno.env.get("LIBSQL_TEST_TOKEN");

if (url === undefined) {
  Deno.test("a libSQL server that somebody else made", () =>
    console.log(
      "skipped: LIBSQL_TEST_URL names no database that may be emptied",
    ));
} else {
  stateContract(`libSQL in ${new URL(url).host}`, async () => {
    await empty(url);
    const { state } = await openServerState({ url, token, node }, signal);
    return state;
  });
}

/** Drops everything, if it is ours. */
async function empty(url: string): Promise<void> {
  const client = createClient({ url, ...(token && { authToken: token }) });
  const { rows } = await client.execute(
    "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'table') AND name NOT LIKE 'sqlite_%' ORDER BY type DESC",
  );
  const isOurs = rows.some(({ name }) => name === "tesseras");
  assertTrue(rows.length === 0 || isOurs, "only a database of ours is emptied");
  await client.migrate(rows.map(({ type, name }) => `DROP ${type} "${name}"`));
  client.close();
}
