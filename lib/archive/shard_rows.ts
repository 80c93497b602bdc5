/** The windows of several shards, row by row, as coding wants them. */
import { KIB } from "@tesseras/core/limits";
import { joined } from "./joined.ts";

/** Bytes of one window: what reading or writing costs beside its bytes is small then, and two rows of 48 are 24 MiB. */
const WINDOW_BYTES = 256 * KIB;

/** The same stretch of every shard. */
export type ShardRow = {
  readonly offset: number;
  readonly bytes: number;
  /** Borrowed until the next row is asked for. */
  readonly windows: readonly Uint8Array[];
};

/** Where rows come from. */
export type ShardRows = {
  /** How many shards a row goes through. */
  readonly count: number;
  /** Bytes of each shard. */
  readonly shardBytes: number;
  /** Fills the window of a shard. */
  readonly read: (
    shard: number,
    offset: number,
    into: Uint8Array,
  ) => Promise<unknown>;
};

/** Reads rows in order, each while the caller still works on the one before. */
export async function* readRows(rows: ShardRows): AsyncGenerator<ShardRow> {
  const buffers = [windowsFor(rows), windowsFor(rows)];
  const begin = (offset: number): Reading => {
    const bytes = Math.min(WINDOW_BYTES, rows.shardBytes - offset);
    const windows = buffers[(offset / WINDOW_BYTES) % 2]!
      .map((buffer) => buffer.subarray(0, bytes));
    const done = joined(
      windows.map((into, shard) => rows.read(shard, offset, into)),
    );
    // It is awaited in its turn; until then a failure is nobody's surprise.
    done.catch(() => {});
    return { row: { offset, bytes, windows }, done };
  };
  let reading = begin(0);
  try {
    for (;;) {
      const { row, done } = reading;
      await done;
      const after = row.offset + row.bytes;
      if (after < rows.shardBytes) reading = begin(after);
      yield row;
      if (after >= rows.shardBytes) return;
    }
  } finally {
    // Nothing may write into buffers, or read from what is closed, after we are gone.
    await reading.done.catch(() => {});
  }
}

/** Windows to compute into, one for each of `count` shards. */
export function windowsFor(
  { count, shardBytes }: Pick<ShardRows, "count" | "shardBytes">,
): readonly Uint8Array[] {
  const bytes = Math.min(WINDOW_BYTES, shardBytes);
  return Array.from({ length: count }, () => new Uint8Array(bytes));
}

type Reading = { readonly row: ShardRow; readonly done: Promise<unknown> };
