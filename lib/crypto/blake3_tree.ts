/** The BLAKE3 tree over input that comes in pieces. Section numbers are those of the BLAKE3 paper. */
import {
  CHUNK_BYTES,
  engine,
  type Mode,
  VALUE_BYTES,
  WINDOW_BYTES,
} from "./blake3_engine.ts";

/** Input is hashed in multiples of this: enough chunks to fill the kernel's lanes on all but the last two levels. */
const BATCH_CHUNKS = 16;
const BATCH_BYTES = BATCH_CHUNKS * CHUNK_BYTES;

/** Subtrees that wait at once at most: no two of them are equal but the last, so they would hold 2^64 bytes. */
const SUBTREES_MAX = 64;

/**
 * Hashes a stream. Finished subtrees wait on a stack and are merged only when more input follows, because the topmost
 * node, which is marked, cannot be told from others before (5.1.2).
 */
export class TreeHasher {
  readonly #mode: Mode;
  /** Chaining values of the waiting subtrees, from left to right, one behind the other. */
  readonly #values = new Uint8Array(SUBTREES_MAX * VALUE_BYTES);
  /** How many chunks each of them has. */
  readonly #sizes: number[] = [];
  #chunkCount = 0;
  /** The beginning of the next batch; allocated when a piece leaves one over. */
  #batch: Uint8Array | undefined;
  #batchLength = 0;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  /** Takes the next bytes; borrows them only during the call. */
  update(bytes: Uint8Array): void {
    let rest = this.#fillBatch(bytes);
    while (rest.length >= BATCH_BYTES) {
      const size = this.#largestSubtree(rest.length);
      this.#absorb(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    if (rest.length === 0) return;
    this.#batch ??= new Uint8Array(BATCH_BYTES);
    this.#batch.set(rest, this.#batchLength);
    this.#batchLength += rest.length;
  }

  /** The output for all bytes so far. More may follow. */
  output(outBytes: number): Uint8Array {
    const tail = this.#batch?.subarray(0, this.#batchLength) ??
      new Uint8Array();
    let count = this.#sizes.length;
    if (count === 0 && tail.length <= CHUNK_BYTES) {
      return engine().rootOfChunk(tail, this.#mode, outBytes);
    }
    if (count === 0) return engine().rootOfWindow(tail, this.#mode, outBytes);
    if (tail.length > 0) {
      this.#mergeEqual();
      count = this.#sizes.length;
    }
    // What waits is closed on a copy, from the right, so that more may follow.
    const values = this.#values.slice();
    if (tail.length > 0) {
      engine().subtree(tail, this.#mode, {
        firstChunk: this.#chunkCount,
        keep: 1,
        values,
        at: count++ * VALUE_BYTES,
      });
    }
    while (count > 2) {
      engine().parent(values, (--count - 1) * VALUE_BYTES, this.#mode);
    }
    return engine().rootOfPair(values, this.#mode, outBytes);
  }

  /** Completes a batch that was begun; returns what is left of the bytes, which is aligned to batches or nothing. */
  #fillBatch(bytes: Uint8Array): Uint8Array {
    if (this.#batch === undefined || this.#batchLength === 0) return bytes;
    const taken = bytes.subarray(0, BATCH_BYTES - this.#batchLength);
    if (this.#batchLength + taken.length < BATCH_BYTES) return bytes;
    this.#batch.set(taken, this.#batchLength);
    this.#batchLength = 0;
    this.#absorb(this.#batch);
    return bytes.subarray(taken.length);
  }

  /** Bytes of the largest full subtree that may begin here and is there in whole. */
  #largestSubtree(available: number): number {
    let size = BATCH_BYTES;
    while (
      2 * size <= Math.min(available, WINDOW_BYTES) &&
      this.#chunkCount % (2 * size / CHUNK_BYTES) === 0
    ) size *= 2;
    return size;
  }

  /** Hashes a full subtree down to its two halves: were it the whole input, the node above them would be the root. */
  #absorb(bytes: Uint8Array): void {
    this.#mergeEqual();
    engine().subtree(bytes, this.#mode, {
      firstChunk: this.#chunkCount,
      keep: 2,
      values: this.#values,
      at: this.#sizes.length * VALUE_BYTES,
    });
    const chunkCount = bytes.length / CHUNK_BYTES;
    this.#sizes.push(chunkCount / 2, chunkCount / 2);
    this.#chunkCount += chunkCount;
  }

  /** Joins neighbours of equal size, now that they are known not to be the whole input. */
  #mergeEqual(): void {
    const sizes = this.#sizes;
    while (sizes.length > 1 && sizes.at(-1) === sizes.at(-2)) {
      const at = (sizes.length - 2) * VALUE_BYTES;
      engine().parent(this.#values, at, this.#mode);
      sizes.push(sizes.pop()! + sizes.pop()!);
    }
  }
}
