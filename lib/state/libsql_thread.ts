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

/** What the thread is asked. */
export type ThreadRequest =
  | { readonly id: number; readonly ask: "open"; readonly path: string }
  | {
    readonly id: number;
    readonly ask: "write";
    readonly statements: readonly Statement[];
  }
  | { readonly id: number; readonly ask: "read"; readonly statement: Statement }
  | { readonly id: number; readonly ask: "close" };

/** What the thread answers: rows, or an error of ours (with a code) or a bug (without). */
export type ThreadAnswer =
  | { readonly id: number; readonly results: SqlResults }
  | {
    readonly id: number;
    readonly code: ErrorCode | undefined;
    readonly message: string;
  };

/** A {@link ThreadRequest} before it is numbered. */
type Ask = ThreadRequest extends infer R
  ? R extends ThreadRequest ? Omit<R, "id">
  : never
  : never;

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

class DatabaseThread implements Database {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<SqlResults>>();
  #lastId = 0;
  #dead: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<ThreadAnswer>) =>
      this.#onAnswer(event.data);
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

  async #ask(ask: Ask): Promise<SqlResults> {
    if (this.#dead !== undefined) throw this.#dead;
    if (this.#waiting.size >= CALLS_WAITING_MAX && ask.ask !== "close") {
      throw new TesserasError(
        "overloaded",
        `Cannot use the database: ${CALLS_WAITING_MAX} calls are waiting for it`,
      );
    }
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<SqlResults>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ ...ask, id } satisfies ThreadRequest);
    return await answer.promise;
  }

  #onAnswer(answer: ThreadAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    assert(waiting !== undefined, "every answer was asked for");
    this.#waiting.delete(answer.id);
    if ("results" in answer) return waiting.resolve(answer.results);
    const { code, message } = answer;
    waiting.reject(
      code === undefined
        ? new Error(message)
        : new TesserasError(code, message),
    );
  }

  #die(reason: Error): void {
    this.#dead = reason;
    this.#worker.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#waiting.clear();
  }
}
