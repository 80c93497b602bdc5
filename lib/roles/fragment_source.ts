/** A kept fragment on its way out. */
import { type Blobs, readAhead } from "@tesseras/blobs";
import { codeOf, type Counters, equal, TesserasError } from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";
import type { BulkSource } from "@tesseras/net";
import type { FragmentRow } from "@tesseras/state";

/** What {@link fragmentSource} works with. */
export type FragmentSourceParts = {
  readonly blobs: Blobs;
  readonly counters: Counters;
  /** Is told when the bytes are not what was kept. */
  readonly lost: (
    how: "absent" | "corrupt",
    signal: AbortSignal,
  ) => Promise<void>;
};

/** A range of a fragment. */
type Range = { readonly offset: number; readonly length: number };

/** Streams a range; a whole fragment is hashed on its way out, so that rot is noticed by whoever causes the read. */
export function fragmentSource(
  parts: FragmentSourceParts,
  row: FragmentRow,
  range: Range,
): BulkSource {
  return {
    bytes: range.length,
    chunks: (signal) => chunksOf(parts, row, range, signal),
  };
}

async function* chunksOf(
  { blobs, counters, lost }: FragmentSourceParts,
  row: FragmentRow,
  { offset, length }: Range,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using reader = await blobs.open(row.blob, signal, "cold");
  if (reader === undefined) return await lost("absent", signal);
  const isAll = offset === 0 && length === row.bytes;
  const hasher = new Blake3();
  const checked = {
    /** A medium that cannot give a piece back has lost the fragment. */
    read: async (at: number, into: Uint8Array) => {
      try {
        const count = await reader.read(at, into, signal);
        if (count > 0) return count;
        throw rotten(row, 0);
      } catch (error) {
        if (codeOf(error) === "corrupt") await lost("corrupt", signal);
        throw error;
      }
    },
  };
  let sent = 0;
  for await (const part of readAhead(checked, { offset, length }, signal)) {
    if (isAll) hasher.update(part);
    sent += part.length;
    // The last piece is held back until all of it is known to be right: a fragment that rotted is never sent to its end.
    if (isAll && sent === length && !equal(hasher.digest(), row.blob)) {
      await lost("corrupt", signal);
      throw rotten(row, sent);
    }
    yield part;
  }
  counters.add("fragment.served_bytes", length);
}

function rotten(row: FragmentRow, at: number): TesserasError {
  const what = `Cannot give fragment ${row.index}`;
  return new TesserasError(
    "corrupt",
    at < row.bytes
      ? `${what}: it ends before its ${row.bytes} bytes`
      : `${what}: its bytes are not what was kept`,
  );
}
