/**
 * Coding of rows in threads beside the caller's: an adapter, opened by programs and tests only.
 *
 * @module
 */
import {
  assert,
  Semaphore,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import {
  codeHere,
  codeRows,
  type Crew,
  type RowCoder,
  type RowJob,
  type RowLayout,
  type RowTask,
} from "./rows.ts";

/** Threads at most: the memory of rows grows with them. */
const THREADS_MAX = 16;

/** What a thread is asked: to code one row, whose memory moves there and back. `jobId` tells tasks apart. */
export type PoolRequest = {
  readonly id: number;
  readonly jobId: number;
  readonly task: RowTask;
  readonly layout: RowLayout;
  readonly memory: ArrayBuffer;
};

/** What a thread says: that it has begun, that a row is coded, or that a bug of ours came up. */
export type PoolAnswer =
  | { readonly ready: true }
  | { readonly id: number; readonly memory: ArrayBuffer }
  | { readonly id: number; readonly message: string };

/** Threads that code rows. Dispose it to end them; jobs that are open fail then. */
export interface CodingPool extends RowCoder, Disposable {
  /** How many threads there are: none where the platform has no workers and rows are coded by the caller's. */
  readonly threadCount: number;
}

/** How many threads to start. */
export type PoolOptions = {
  /** 0 to 16; as many as there are cores is best. */
  readonly threadCount: number;
};

/**
 * Starts threads; where the platform cannot, rows are coded in the caller's, with the same bytes.
 *
 * @throws `unusable` unless 0 to 16 threads are asked for
 */
export async function openCodingPool(
  { threadCount }: PoolOptions,
  signal: AbortSignal,
): Promise<CodingPool> {
  if (
    !Number.isInteger(threadCount) || threadCount < 0 ||
    threadCount > THREADS_MAX
  ) {
    throw new TesserasError(
      "unusable",
      `Cannot code in ${threadCount} threads: wanted 0 to ${THREADS_MAX}`,
    );
  }
  throwIfAborted(signal);
  if (threadCount === 0 || typeof Worker === "undefined") return new NoPool();
  const threads = Array.from({ length: threadCount }, () => new Thread());
  const stop = () => {
    for (const thread of threads) thread.end(closed());
  };
  signal.addEventListener("abort", stop, { once: true });
  const started = await Promise.allSettled(threads.map(({ ready }) => ready));
  signal.removeEventListener("abort", stop);
  if (started.every(({ status }) => status === "fulfilled")) {
    return new ThreadPool(threads);
  }
  stop();
  throwIfAborted(signal);
  return new NoPool();
}

/** Data below which a job is done before its threads have started. */
const LARGE_BYTES = 32 * MIB;

/**
 * Codes large jobs in threads that live as long as the job, and small ones in the caller's: for programs that seldom code.
 *
 * @throws as {@link openCodingPool}, when a large job begins
 */
export function largeInThreads(options: PoolOptions): RowCoder {
  return {
    async *code(job, signal) {
      if (job.shape.dataCount * job.shardBytes < LARGE_BYTES) {
        return yield* codeHere.code(job, signal);
      }
      using pool = await openCodingPool(options, signal);
      yield* pool.code(job, signal);
    },
  };
}

/** The caller's thread, by the same name. */
class NoPool implements CodingPool {
  readonly threadCount = 0;
  readonly code = codeHere.code;
  [Symbol.dispose](): void {}
}

class ThreadPool implements CodingPool {
  readonly #threads: readonly Thread[];
  readonly #idle: Thread[];
  readonly #places: Semaphore;
  readonly #ending = new AbortController();
  #lastJobId = 0;

  constructor(threads: readonly Thread[]) {
    this.#threads = threads;
    this.#idle = [...threads];
    this.#places = new Semaphore(threads.length);
  }

  get threadCount(): number {
    return this.#threads.length;
  }

  code(job: RowJob, signal: AbortSignal) {
    const jobId = ++this.#lastJobId;
    const task = plainTask(job);
    const crew: Crew = {
      // One to fill while every thread has its own.
      ahead: this.#threads.length + 1,
      code: (memory, layout) => this.#code({ jobId, task, layout, memory }),
    };
    return codeRows(job, crew, signal);
  }

  /** By whichever thread is idle; several jobs may share them. */
  async #code(row: Omit<PoolRequest, "id">): Promise<ArrayBuffer> {
    using _place = await this.#places.enter(this.#ending.signal);
    const thread = this.#idle.pop();
    assert(thread !== undefined, "there is a place for every idle thread");
    try {
      return await thread.code(row);
    } finally {
      this.#idle.push(thread);
    }
  }

  [Symbol.dispose](): void {
    this.#ending.abort(closed());
    for (const thread of this.#threads) thread.end(closed());
  }
}

/** What a thread needs to know and nothing that cannot be sent to one. */
function plainTask({ shape, plan, kernel }: RowJob): RowTask {
  const { dataCount, parityCount } = shape;
  return {
    shape: { dataCount, parityCount },
    ...(plan && {
      plan: { present: [...plan.present], wanted: [...plan.wanted] },
    }),
    ...(kernel && { kernel }),
  };
}

function closed(): TesserasError {
  return new TesserasError("cancelled", "The coding pool is closed");
}

type Waiting = PromiseWithResolvers<ArrayBuffer> & { readonly id: number };

/** One worker, which codes one row at a time. */
class Thread {
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<void>();
  #waiting: Waiting | undefined;
  #lastId = 0;
  #death: TesserasError | undefined;

  constructor() {
    this.#worker = new Worker(new URL("./pool_worker.ts", import.meta.url), {
      type: "module",
      name: "coding",
    });
    this.#worker.onmessage = (event: MessageEvent<PoolAnswer>) =>
      this.#onAnswer(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(
        new TesserasError(
          "unusable",
          `Cannot code: a thread died: ${event.message}`,
        ),
      );
    };
    // Looked at when all threads were told to start; a failure before is no surprise.
    this.#ready.promise.catch(() => {});
  }

  /** Settles when the worker runs, or never will. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async code(row: Omit<PoolRequest, "id">): Promise<ArrayBuffer> {
    if (this.#death !== undefined) throw this.#death;
    assert(this.#waiting === undefined, "a thread codes one row at a time");
    const waiting = {
      ...Promise.withResolvers<ArrayBuffer>(),
      id: ++this.#lastId,
    };
    const request: PoolRequest = { ...row, id: waiting.id };
    this.#worker.postMessage(request, [row.memory]);
    this.#waiting = waiting;
    return await waiting.promise;
  }

  end(reason: TesserasError): void {
    if (this.#death !== undefined) return;
    this.#death = reason;
    this.#worker.terminate();
    this.#ready.reject(reason);
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  #onAnswer(answer: PoolAnswer): void {
    if ("ready" in answer) return this.#ready.resolve();
    const waiting = this.#waiting;
    assert(waiting?.id === answer.id, "every answer was asked for");
    this.#waiting = undefined;
    if ("memory" in answer) waiting.resolve(answer.memory);
    else waiting.reject(new Error(answer.message));
  }
}
