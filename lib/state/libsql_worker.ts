/// <reference lib="deno.worker" />
/** The thread that owns the database: opens it when told, answers one call after the other, and ends when closed. */
import { assert, codeOf, messageOf } from "@tesseras/core";
import { openDatabase } from "./libsql_database.ts";
import type { ThreadAnswer, ThreadRequest } from "./libsql_thread.ts";
import type { Database, SqlResults } from "./sql.ts";

/** Nobody cancels in here: whoever asked has stopped waiting, and what was asked for runs to its end. */
const { signal } = new AbortController();

let database: Database | undefined;
let last: Promise<void> = Promise.resolve();

self.onmessage = (event: MessageEvent<ThreadRequest>) => {
  // In order, so that a close comes after every write asked for before it.
  last = last.then(() => reply(event.data));
};

async function reply(request: ThreadRequest): Promise<void> {
  const { id } = request;
  let answer: ThreadAnswer;
  try {
    answer = { id, results: await perform(request) };
  } catch (error) {
    answer = { id, code: codeOf(error), message: messageOf(error) };
  }
  self.postMessage(answer);
}

async function perform(request: ThreadRequest): Promise<SqlResults> {
  if (request.ask === "open") {
    database = await openDatabase(request.path, signal);
    return [];
  }
  if (request.ask === "close") {
    await database?.[Symbol.asyncDispose]();
    return [];
  }
  assert(database !== undefined, "the database is opened before it is used");
  return request.ask === "write"
    ? await database.write(request.statements, signal)
    : [await database.read(request.statement, signal)];
}
