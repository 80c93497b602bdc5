/** A QUIC stream: one reused read buffer, writes with backpressure, and abandoning that never waits. */
import { assert, orAbort, TesserasError, throwIfAborted } from "@tesseras/core";
import { BULK_STRIDE_BYTES_MAX, KIB } from "@tesseras/core/limits";
import { streamError } from "./quic_errors.ts";
import type { Closed, Stream } from "./transport.ts";

/** Bytes of the first read buffer: a request fits, and thousands of fresh streams a second zero little memory. */
const READ_BYTES_FIRST = 4 * KIB;
/** How much larger the next buffer is when one was filled: 20 node records do not fit the first and leave most of the largest empty. */
const READ_GROWTH = 4;
/** Bytes of the largest read buffer, at once where many are waited for. Larger was no faster (measured). */
const READ_BYTES_BULK = 64 * KIB;
/** Bytes handed to the platform at once, so that an abandoned stream is rid of a blocked write soon. Larger was no faster. */
const WRITE_BYTES_MAX = 256 * KIB;

/** How the connection of a stream ended, or `undefined` while it lives. */
export type Ending = () => Closed | undefined;

/** One bidirectional stream. Holds on to both halves: a half that is garbage-collected looks like a clean end to the peer. */
export class QuicStream implements Stream {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ending: Ending;
  #buffer: ArrayBuffer = new ArrayBuffer(0);
  #bufferBytes = READ_BYTES_FIRST;
  #reading: Promise<ReadableStreamReadResult<Uint8Array>> | undefined;
  #abandoned = false;

  constructor(stream: Deno.QuicBidirectionalStream, ending: Ending) {
    this.#reader = stream.readable.getReader({ mode: "byob" });
    this.#writer = stream.writable.getWriter();
    this.#ending = ending;
  }

  async read(
    signal: AbortSignal,
    bytesMin = 1,
  ): Promise<Uint8Array | undefined> {
    assert(
      bytesMin >= 1 && bytesMin <= BULK_STRIDE_BYTES_MAX,
      `a read waits for 1 to ${BULK_STRIDE_BYTES_MAX} bytes, not ${bytesMin}`,
    );
    throwIfAborted(signal);
    if (bytesMin > this.#bufferBytes) {
      this.#bufferBytes = Math.max(bytesMin, READ_BYTES_BULK);
    }
    this.#reading ??= this.#reader.read(this.#view(), { min: bytesMin });
    try {
      const result = await orAbort(this.#reading, signal);
      this.#reading = undefined;
      // Abandoning ends a read that is under way; to the reader that must not look like the peer's end.
      if (this.#abandoned) throw abandoned("read from a stream");
      return this.#take(result);
    } catch (error) {
      throw this.#failure(error, "read from a stream");
    }
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    try {
      for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
        const piece = bytes.subarray(at, at + WRITE_BYTES_MAX);
        await orAbort(this.#writer.write(piece), signal);
      }
    } catch (error) {
      if (signal.aborted) this.abandon();
      throw this.#failure(error, "write to a stream");
    }
  }

  async finish(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    try {
      await orAbort(this.#writer.close(), signal);
    } catch (error) {
      throw this.#failure(error, "finish a stream");
    }
  }

  abandon(): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    this.#reader.cancel().catch(nobodyListens);
    this.#writer.abort().catch(nobodyListens);
  }

  /** The platform takes the buffer away while it fills it, so an array lent before is empty from here on. */
  #view(): Uint8Array<ArrayBuffer> {
    const grown = this.#buffer.byteLength !== this.#bufferBytes;
    return new Uint8Array(
      grown ? new ArrayBuffer(this.#bufferBytes) : this.#buffer,
    );
  }

  #failure(error: unknown, doing: string): TesserasError {
    if (this.#abandoned && !(error instanceof TesserasError)) {
      return abandoned(doing);
    }
    return streamError(error, doing, this.#ending());
  }

  #take(result: ReadableStreamReadResult<Uint8Array>): Uint8Array | undefined {
    // The end may come with the last bytes, fewer than were waited for.
    const { value } = result;
    if (value === undefined || value.length === 0) return undefined;
    this.#buffer = value.buffer as ArrayBuffer;
    if (value.length === this.#bufferBytes) {
      const grownBytes = Math.min(
        READ_GROWTH * this.#bufferBytes,
        READ_BYTES_BULK,
      );
      this.#bufferBytes = Math.max(this.#bufferBytes, grownBytes);
    }
    return value;
  }
}

function abandoned(doing: string): TesserasError {
  return new TesserasError("cancelled", `Cannot ${doing}: it was abandoned`);
}

/** Abandoning gives up both sides; that they were broken already is no news to whoever gives them up. */
function nobodyListens(): void {}
