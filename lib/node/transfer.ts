/** A fragment on its way from this disk to a peer. */
import type { FragmentReader } from "@tesseras/archive";
import { TesserasError } from "@tesseras/core";
import { BULK_CHUNK_BYTES } from "@tesseras/core/limits";
import type { BulkSource } from "@tesseras/net";

/** A fragment's bytes as what follows a message. */
export function fragmentBulk(fragment: FragmentReader): BulkSource {
  return {
    bytes: fragment.bytes,
    async *chunks(signal) {
      const buffer = new Uint8Array(
        Math.min(BULK_CHUNK_BYTES, fragment.bytes),
      );
      for (let at = 0; at < fragment.bytes;) {
        const count = await fragment.read(at, buffer, signal);
        if (count === 0) {
          throw new TesserasError(
            "corrupt",
            `Cannot send a fragment: it ends after ${at} of ${fragment.bytes} bytes`,
          );
        }
        yield buffer.subarray(0, count);
        at += count;
      }
    },
  };
}
