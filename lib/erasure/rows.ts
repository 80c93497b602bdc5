/**
 * Coding of shards of any length with bounded memory: row by row, a row being the same stretch of every shard. Where the
 * work is done is up to the {@link RowCoder}: in the caller's thread, or in threads of its own (`@tesseras/erasure/pool`).
 */
import { assert, orAbort, TesserasError, throwIfAborted } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import {
  type CodingOptions,
  Decoder,
  type DecoderPlan,
  Encoder,
  requirePlan,
} from "./reed_solomon.ts";
import { requireShape, type Shape } from "./shape.ts";

/** Bytes of a window unless told: large enough that handing a row to a thread costs little beside coding it. */
export const WINDOW_BYTES_DEFAULT = 128 * KIB;

/** What is made from what: parity from data, or the shards of a plan from those it has. */
export type RowTask = CodingOptions & {
  readonly shape: Shape;
  /** Parity from data unless told. */
  readonly plan?: DecoderPlan;
};

/** The same stretch of every shard, its inputs still to be filled. */
export type EmptyRow = {
  /** Where in its shard every window begins. */
  readonly offset: number;
  /** Bytes of every window. */
  readonly bytes: number;
  /** All data shards in order, or those the plan has. */
  readonly inputs: readonly Uint8Array[];
};

/** A row that is done. */
export type CodedRow = EmptyRow & {
  /** All parity shards in order, or those the plan wants. */
  readonly outputs: readonly Uint8Array[];
};

/** Everything there is to code. */
export type RowJob = RowTask & {
  /** Bytes of each shard; none gives no row. */
  readonly shardBytes: number;
  /** Bytes of a window, {@link WINDOW_BYTES_DEFAULT} unless told; the last row may have fewer. */
  readonly windowBytes?: number;
  /**
   * Fills all inputs of a row; called for one row after the other, in order and ahead of what is coded. What it was
   * lent it must not touch once its promise has settled.
   */
  readonly fill: (row: EmptyRow, signal: AbortSignal) => Promise<unknown>;
};

/** Codes rows, wherever that is done. */
export interface RowCoder {
  /**
   * Gives the rows in order, each borrowed until the next is asked for. Fills ahead by a few rows and no further (one
   * here, one more than there are threads in a pool), so that whoever is slow makes the other side wait and memory is
   * that many rows and one. When it ends, for whatever reason, nothing is filled any more.
   *
   * @throws `unusable` for a shape or plan that cannot be, as {@link Encoder} and {@link Decoder} do; what `fill` throws
   */
  code(
    job: RowJob,
    signal: AbortSignal,
  ): AsyncGenerator<CodedRow, void, undefined>;
}

/** Codes in the caller's thread, which reads the next row meanwhile. */
export const codeHere: RowCoder = {
  code: (job, signal) => codeRows(job, new Here(job), signal),
};

/** Codes the windows of one row. */
export type CodeRow = (
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
) => void;

/** Whoever computes rows. The memory is lent, and given back coded; it may not be the same object. */
export interface Crew {
  /** Rows worth beginning beyond the one that somebody waits for or holds. */
  readonly ahead: number;
  code(memory: ArrayBuffer, layout: RowLayout): Promise<ArrayBuffer>;
}

/** How the windows of a row lie in its memory: inputs, then outputs, each where a whole window would begin. */
export type RowLayout = {
  readonly inputCount: number;
  readonly outputCount: number;
  readonly windowBytes: number;
  /** Bytes of the windows of this row. */
  readonly bytes: number;
};

/** The windows of a row in its memory. */
export function windowsOf(
  memory: ArrayBuffer,
  { inputCount, outputCount, windowBytes, bytes }: RowLayout,
): {
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
} {
  const windows = Array.from(
    { length: inputCount + outputCount },
    (_, i) => new Uint8Array(memory, i * windowBytes, bytes),
  );
  return {
    inputs: windows.slice(0, inputCount),
    outputs: windows.slice(inputCount),
  };
}

/** What a task does to a row. @throws as the job's coder */
export function coderOf({ shape, plan, ...options }: RowTask): CodeRow {
  if (plan === undefined) {
    const encoder = new Encoder(shape, options);
    return (inputs, outputs) => encoder.encode(inputs, outputs);
  }
  const decoder = new Decoder(shape, plan, options);
  return (inputs, outputs) => decoder.decode(inputs, outputs);
}

/** The rows of a job, coded by a crew. See {@link RowCoder}. */
export async function* codeRows(
  job: RowJob,
  crew: Crew,
  signal: AbortSignal,
): AsyncGenerator<CodedRow, void, undefined> {
  requireJob(job);
  throwIfAborted(signal);
  const rows = new RowsAhead(job, crew, signal);
  try {
    for (;;) {
      const row = rows.next();
      if (row === undefined) return;
      const { memory, coded } = await orAbort(row, signal);
      yield coded;
      rows.recycle(memory);
    }
  } finally {
    await rows.end();
  }
}

type Row = { readonly memory: ArrayBuffer; readonly coded: CodedRow };

/** The rows that were begun and not yet given out. */
class RowsAhead {
  readonly #job: RowJob;
  readonly #crew: Crew;
  readonly #layout: RowLayout;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #begun: Promise<Row>[] = [];
  readonly #free: ArrayBuffer[] = [];
  #filled: Promise<unknown> = Promise.resolve();
  #offset = 0;

  constructor(job: RowJob, crew: Crew, signal: AbortSignal) {
    const { shape, plan, windowBytes = WINDOW_BYTES_DEFAULT, shardBytes } = job;
    this.#job = job;
    this.#crew = crew;
    this.#layout = {
      inputCount: shape.dataCount,
      outputCount: plan === undefined ? shape.parityCount : plan.wanted.length,
      windowBytes: Math.min(windowBytes, shardBytes),
      bytes: 0,
    };
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
  }

  /** The next row, or nothing when all were given. Begins as many behind it as the crew wants. */
  next(): Promise<Row> | undefined {
    const { shardBytes } = this.#job;
    while (
      this.#begun.length <= this.#crew.ahead && this.#offset < shardBytes
    ) {
      const bytes = Math.min(
        this.#layout.windowBytes,
        shardBytes - this.#offset,
      );
      const row = this.#make(this.#offset, { ...this.#layout, bytes });
      // It is awaited in its turn; until then a failure is nobody's surprise.
      row.catch(() => {});
      this.#begun.push(row);
      this.#offset += bytes;
    }
    return this.#begun.shift();
  }

  /** Takes back the memory of a row that was given out. */
  recycle(memory: ArrayBuffer): void {
    this.#free.push(memory);
  }

  /** Begins no more, and waits until nothing that was begun touches its memory. */
  async end(): Promise<void> {
    this.#ending.abort(new TesserasError("cancelled", "No more rows wanted"));
    await Promise.allSettled([this.#filled, ...this.#begun]);
  }

  async #make(offset: number, layout: RowLayout): Promise<Row> {
    const before = this.#filled;
    const filled = this.#fill(offset, layout, before);
    this.#filled = filled.catch(() => {});
    const lent = await filled;
    throwIfAborted(this.#signal);
    const memory = await this.#crew.code(lent, layout);
    const { bytes } = layout;
    return { memory, coded: { offset, bytes, ...windowsOf(memory, layout) } };
  }

  async #fill(
    offset: number,
    layout: RowLayout,
    before: Promise<unknown>,
  ): Promise<ArrayBuffer> {
    await before;
    throwIfAborted(this.#signal);
    const { inputCount, outputCount, windowBytes, bytes } = layout;
    const memory = this.#free.pop() ??
      new ArrayBuffer((inputCount + outputCount) * windowBytes);
    const { inputs } = windowsOf(memory, layout);
    await this.#job.fill({ offset, bytes, inputs }, this.#signal);
    return memory;
  }
}

class Here implements Crew {
  /** Read while its forerunner is in use. */
  readonly ahead = 1;
  readonly #task: RowTask;
  #code: CodeRow | undefined;

  constructor(task: RowTask) {
    this.#task = task;
  }

  code(memory: ArrayBuffer, layout: RowLayout): Promise<ArrayBuffer> {
    this.#code ??= coderOf(this.#task);
    const { inputs, outputs } = windowsOf(memory, layout);
    this.#code(inputs, outputs);
    return Promise.resolve(memory);
  }
}

/** Before anything is read, and where the caller hears it. */
function requireJob({ shape, plan, shardBytes, windowBytes }: RowJob): void {
  requireShape(shape);
  if (plan !== undefined) requirePlan(shape, plan);
  assert(
    Number.isSafeInteger(shardBytes) && shardBytes >= 0,
    `a shard of ${shardBytes} bytes cannot be`,
  );
  assert(
    windowBytes === undefined ||
      Number.isSafeInteger(windowBytes) && windowBytes > 0,
    `a window of ${windowBytes} bytes holds nothing`,
  );
}
