/** Reading in large pieces, each while the caller still works on the one before. */
import { KIB } from "@tesseras/core/limits";
import type { BlobReader } from "./blobs.ts";

/** Bytes of one read: handing a smaller one to another thread costs more than reading it (measured). */
const PIECE_BYTES = 512 * KIB;

/**
 * The bytes of a range in order, each piece borrowed until the next is asked for. Ends early where the reader does: whoever
 * counts on all of them counts them. Holds two pieces.
 *
 * @throws what the reader throws
 */
export async function* readAhead(
  reader: Pick<BlobReader, "read">,
  range: { readonly offset: number; readonly length: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const end = range.offset + range.length;
  const pieceBytes = Math.min(PIECE_BYTES, range.length);
  let [next, other] = [new Uint8Array(pieceBytes), new Uint8Array(0)];
  const begin = (at: number) => {
    const into = next.subarray(0, Math.min(pieceBytes, end - at));
    const count = reader.read(at, into, signal);
    // It is awaited in its turn; until then a failure is nobody's surprise.
    count.catch(() => {});
    return { into, count };
  };
  if (range.length === 0) return;
  let reading = begin(range.offset);
  try {
    for (let at = range.offset; at < end;) {
      const { into, count } = reading;
      const read = await count;
      if (read === 0) return;
      at += read;
      if (at < end) {
        if (other.length === 0) other = new Uint8Array(pieceBytes);
        [next, other] = [other, next];
        reading = begin(at);
      }
      yield into.subarray(0, read);
    }
  } finally {
    // Nothing may read from what is closed after we are gone.
    await Promise.allSettled([reading.count]);
  }
}
