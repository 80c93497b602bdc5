/** Finds blobs that nobody needs: what killed work left behind. */
import {
  type Hash,
  hash,
  keyOf,
  mapBounded,
  parseHash,
  TesserasError,
} from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import { BLOBS_PARALLEL, type Keepers, removeUnneeded } from "./holds.ts";

/** The name under which the state remembers what the last sweep found. */
const MARKS = "archive.unneeded";
/** Bytes of one mark: a hash, and Unix milliseconds as a big-endian double. */
const MARK_BYTES = HASH_BYTES + 8;
/** Marks kept from one sweep to the next; further blobs wait for a later one. */
const MARKS_MAX = 10_000;
/** Blobs asked for at once while the store is listed. */
const BATCH = 256;

/** What a sweep did. */
export type SweepReport = {
  /** Blobs that are in no row and were not removed yet. */
  readonly waitingCount: number;
  readonly removedCount: number;
};

/**
 * Removes blobs that no row names and that an earlier sweep, at least `graceMs` ago, found so as well. The grace is for
 * other processes: a create holds blobs that no row names yet.
 */
export async function sweep(
  keepers: Keepers,
  { graceMs, nowMs }: { readonly graceMs: number; readonly nowMs: number },
  signal: AbortSignal,
): Promise<SweepReport> {
  const marks = await readMarks(keepers, signal);
  const due: Hash[] = [];
  const waiting = new Map<string, number>();
  for await (const orphan of unneeded(keepers, signal)) {
    const key = keyOf(orphan);
    // A clock that was put back must not make a mark look older than it is.
    const sinceMs = Math.min(nowMs, marks.get(key) ?? nowMs);
    if (marks.has(key) && nowMs - sinceMs >= graceMs) due.push(orphan);
    else if (waiting.size < MARKS_MAX) waiting.set(key, sinceMs);
  }
  const removedCount = await removeUnneeded(keepers, due, signal);
  await writeMarks(keepers, waiting, signal);
  return { waitingCount: waiting.size, removedCount };
}

async function* unneeded(
  keepers: Keepers,
  signal: AbortSignal,
): AsyncGenerator<Hash> {
  let batch: Hash[] = [];
  for await (const entry of keepers.blobs.list(signal)) {
    batch.push(entry.hash);
    if (batch.length < BATCH) continue;
    yield* await withoutRows(keepers, batch, signal);
    batch = [];
  }
  yield* await withoutRows(keepers, batch, signal);
}

async function withoutRows(
  keepers: Keepers,
  hashes: readonly Hash[],
  signal: AbortSignal,
): Promise<readonly Hash[]> {
  const counts = await mapBounded(
    hashes,
    BLOBS_PARALLEL,
    (hash, signal) => keepers.state.references(hash, signal),
    signal,
  );
  return hashes.filter((hash, at) =>
    counts[at] === 0 && !keepers.holds.has(hash)
  );
}

async function readMarks(
  keepers: Keepers,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const bytes = await keepers.state.value(MARKS, signal) ?? new Uint8Array();
  if (bytes.length % MARK_BYTES !== 0) {
    throw new TesserasError(
      "corrupt",
      `Cannot sweep: ${bytes.length} bytes of marks, wanted a multiple of ${MARK_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const marks = new Map<string, number>();
  for (let at = 0; at < bytes.length; at += MARK_BYTES) {
    const orphan = hash(bytes.subarray(at, at + HASH_BYTES));
    marks.set(keyOf(orphan), view.getFloat64(at + HASH_BYTES));
  }
  return marks;
}

async function writeMarks(
  keepers: Keepers,
  marks: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const bytes = new Uint8Array(marks.size * MARK_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [key, sinceMs] of marks) {
    bytes.set(parseHash(key), at);
    view.setFloat64(at + HASH_BYTES, sinceMs);
    at += MARK_BYTES;
  }
  await keepers.state.putValue(MARKS, bytes, signal);
}
