/// <reference lib="deno.worker" />
/** The thread that owns the database: opens it when told, answers one call after the other, and ends when closed. */
import { assert, codeOf, messageOf } from "@tesseras/core";
import { openDatabase } from "./libsql_database.ts";
import type { ThreadAnswer, ThreadCall } from "./libsql_thread.ts";
import type { Database, SqlResults } from "./sql.ts";

/** Nobody cancels in here: whoever asked has stopped waiting, and what was asked for runs to its end. */
const { signal } = new AbortController();

let database: Database | undefined;
let last: Promise<void> = Promise.resolve();

self.onmessage = (event: MessageEvent<readonly ThreadCall[]>) => {
  // In order, so that a close comes after every write asked for before it.
  last = last.then(() => replyAll(event.data));
};

async function replyAll(calls: readonly ThreadCall[]): Promise<void> {
  let answers: ThreadAnswer[] = [];
  const tell = (): void => {
    if (answers.length > 0) self.postMessage(answers);
    answers = [];
  };
  for (const call of calls) {
    // A write waits for the disk; whoever has their rows already need not.
    if (call.ask === "write") tell();
    answers.push(await reply(call));
  }
  tell();
}

async function reply(call: ThreadCall): Promise<ThreadAnswer> {
  try {
    return { results: await perform(call) };
  } catch (error) {
    return { code: codeOf(error), message: messageOf(error) };
  }
}

async function perform(call: ThreadCall): Promise<SqlResults> {
  if (call.ask === "open") {
    database = await openDatabase(call.path, signal);
    return [];
  }
  if (call.ask === "close") {
    await database?.[Symbol.asyncDispose]();
    return [];
  }
  assert(database !== undefined, "the database is opened before it is used");
  return call.ask === "write"
    ? await database.write(call.statements, signal)
    : [await database.read(call.statement, signal)];
}
