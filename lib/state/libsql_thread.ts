/** A database in a thread of its own, so that the event loop never waits for the disk. */
import {
  assert,
  type ErrorCode,
  orAbort,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import type { Database, SqlResults, SqlRow, Statement } from "./sql.ts";

/** Calls that may wait for the thread; at 0.2 ms each a caller beyond them would wait for about a second. */
const CALLS_WAITING_MAX = 4_096;

/** Calls in one message; the first of more would wait too long for the last. */
const MESSAGE_CALLS_MAX = 128;

/** What the thread is asked for. */
export type ThreadCall =
  | { readonly ask: "open"; readonly path: string }
  | { readonly ask: "write"; readonly statements: readonly Statement[] }
  | { readonly ask: "read"; readonly statement: Statement }
  | { readonly ask: "close" };

/** What the thread answers to one call: rows, or an error of ours (with a code) or a bug (without). */
export type ThreadAnswer =
  | { readonly results: SqlResults }
  | { readonly code: ErrorCode | undefined; readonly message: string };

/** A call and who waits for its answer. */
type Asked = {
  readonly call: ThreadCall;
  readonly answer: PromiseWithResolvers<SqlResults>;
};

/** Starts the thread and opens the database there. @throws as `openDatabase` */
export async function openThread(
  path: string,
  signal: AbortSignal,
): Promise<Database> {
  throwIfAborted(signal);
  const thread = new DatabaseThread(
    new Worker(new URL("./libsql_worker.ts", import.meta.url), {
      type: "module",
      name: "libsql",
    }),
  );
  try {
    await thread.open(path, signal);
    return thread;
  } catch (error) {
    await thread[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Calls go to the thread in the order in which they came, and answers come back in it. Those that come while the thread is at
 * work go together, since a message costs more than what most calls ask for.
 */
class DatabaseThread implements Database {
  readonly #worker: Worker;
  /** Calls the thread has, the one answered next in front. */
  #sent: Asked[] = [];
  /** Calls that go to it when it has answered those. */
  #gathered: Asked[] = [];
  #dead: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<readonly ThreadAnswer[]>) =>
      this.#onAnswers(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(
        new TesserasError(
          "unusable",
          `Cannot use the database: its thread died: ${event.message}`,
        ),
      );
    };
  }

  async open(path: string, signal: AbortSignal): Promise<void> {
    await orAbort(this.#ask({ ask: "open", path }), signal);
  }

  async write(
    statements: readonly Statement[],
    signal: AbortSignal,
  ): Promise<SqlResults> {
    throwIfAborted(signal);
    return await orAbort(this.#ask({ ask: "write", statements }), signal);
  }

  async read(
    statement: Statement,
    signal: AbortSignal,
  ): Promise<readonly SqlRow[]> {
    throwIfAborted(signal);
    const results = await orAbort(
      this.#ask({ ask: "read", statement }),
      signal,
    );
    return results[0] ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dead !== undefined) return;
    try {
      // Answered after everything asked before, so that no write is cut off.
      await this.#ask({ ask: "close" });
    } finally {
      this.#die(new TesserasError("cancelled", "The database is closed"));
    }
  }

  async #ask(call: ThreadCall): Promise<SqlResults> {
    if (this.#dead !== undefined) throw this.#dead;
    const waitingCount = this.#sent.length + this.#gathered.length;
    if (waitingCount >= CALLS_WAITING_MAX && call.ask !== "close") {
      throw new TesserasError(
        "overloaded",
        `Cannot use the database: ${CALLS_WAITING_MAX} calls are waiting for it`,
      );
    }
    const answer = Promise.withResolvers<SqlResults>();
    this.#gathered.push({ call, answer });
    if (this.#sent.length === 0) this.#send();
    return await answer.promise;
  }

  #send(): void {
    const sent = this.#gathered.splice(0, MESSAGE_CALLS_MAX);
    this.#sent = sent;
    try {
      this.#worker.postMessage(
        sent.map(({ call }) => call) satisfies readonly ThreadCall[],
      );
    } catch (error) {
      // What cannot be copied is a bug of ours, and nobody is to wait for ever because of it.
      this.#sent = [];
      for (const { answer } of sent) answer.reject(error);
    }
  }

  #onAnswers(answers: readonly ThreadAnswer[]): void {
    const answered = this.#sent.splice(0, answers.length);
    assert(answered.length === answers.length, "every answer was asked for");
    // Before anybody goes on with an answer, so that the thread does not wait for them.
    if (this.#sent.length === 0 && this.#gathered.length > 0) this.#send();
    for (const [at, { answer }] of answered.entries()) {
      settle(answer, answers[at]!);
    }
  }

  #die(reason: Error): void {
    this.#dead = reason;
    this.#worker.terminate();
    for (const { answer } of [...this.#sent, ...this.#gathered]) {
      answer.reject(reason);
    }
    this.#sent = [];
    this.#gathered = [];
  }
}

function settle(
  waiting: PromiseWithResolvers<SqlResults>,
  answer: ThreadAnswer,
): void {
  if ("results" in answer) return waiting.resolve(answer.results);
  const { code, message } = answer;
  waiting.reject(
    code === undefined ? new Error(message) : new TesserasError(code, message),
  );
}
