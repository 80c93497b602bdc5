/** Blobs in memory, for simulations and tests. */
import {
  assert,
  type Hash,
  keyOf,
  parseHash,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { GIB } from "@tesseras/core/limits";
import { Blake3 } from "@tesseras/crypto";
import {
  assertRange,
  type BlobEntry,
  type BlobReader,
  type Blobs,
  type BlobWriter,
  checkExpected,
  type Scratch,
} from "./blobs.ts";
import { HeldReader } from "./held_reader.ts";
import { Leaving } from "./leaving.ts";

/** What {@link MemoryBlobs} may be told. */
export type MemoryBlobsOptions = {
  /** Bytes that fit in all, committed or not; what exceeds them fails with `diskFull`. */
  readonly freeBytes?: number;
};

const MEMORY_BLOBS_DEFAULTS = { freeBytes: 64 * GIB } as const;

/** {@link Blobs} that live as long as the process. */
export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, Uint8Array>();
  /** What was taken aside, with its note; it still takes space. */
  readonly quarantined: {
    readonly hash: Hash;
    readonly content: Uint8Array;
    readonly note: string;
  }[] = [];
  readonly #space: Space;
  readonly #leaving = new Leaving();

  constructor(options: MemoryBlobsOptions = {}) {
    const { freeBytes } = { ...MEMORY_BLOBS_DEFAULTS, ...options };
    this.#space = new Space(freeBytes);
  }

  create(signal: AbortSignal): Promise<BlobWriter> {
    return step(
      signal,
      () =>
        new MemoryWriter(this.#space, (entry, content) => {
          const key = keyOf(entry.hash);
          this.#space.give(this.#blobs.get(key)?.length ?? 0);
          this.#blobs.set(key, content);
        }),
    );
  }

  async open(
    hash: Hash,
    signal: AbortSignal,
  ): Promise<BlobReader | undefined> {
    await this.#leaving.settled(hash);
    return await step(signal, () => {
      const content = this.#blobs.get(keyOf(hash));
      return content && new HeldReader(hash, content);
    });
  }

  async size(hash: Hash, signal: AbortSignal): Promise<number | undefined> {
    await this.#leaving.settled(hash);
    return await step(signal, () => this.#blobs.get(keyOf(hash))?.length);
  }

  remove(hash: Hash, signal: AbortSignal): Promise<boolean> {
    return step(signal, () => {
      const key = keyOf(hash);
      this.#space.give(this.#blobs.get(key)?.length ?? 0);
      return this.#blobs.delete(key);
    });
  }

  removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    return this.#leaving.take(
      hash,
      () => this.#removeUnless(hash, isNeeded, signal),
    );
  }

  async #removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    throwIfAborted(signal);
    const key = keyOf(hash);
    const content = this.#blobs.get(key);
    if (content === undefined) return false;
    this.#blobs.delete(key);
    let needed = true;
    try {
      needed = await isNeeded();
    } finally {
      // Unless it was committed anew meanwhile.
      if (needed && !this.#blobs.has(key)) this.#blobs.set(key, content);
      else this.#space.give(content.length);
    }
    return !needed;
  }

  quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return step(signal, () => {
      const key = keyOf(hash);
      const content = this.#blobs.get(key);
      if (content === undefined) return undefined;
      this.#blobs.delete(key);
      this.quarantined.push({ hash, content, note });
      return `quarantine ${this.quarantined.length}`;
    });
  }

  async *list(signal: AbortSignal): AsyncIterable<BlobEntry> {
    for (const [key, content] of [...this.#blobs]) {
      yield await step(signal, () => ({
        hash: parseHash(key),
        bytes: content.length,
      }));
    }
  }

  scratch(bytes: number, signal: AbortSignal): Promise<Scratch> {
    return step(signal, () => {
      this.#space.take(bytes);
      return new MemoryScratch(bytes, this.#space);
    });
  }

  freeBytes(signal: AbortSignal): Promise<number> {
    return step(signal, () => this.#space.freeBytes);
  }

  /** Flips one bit of a kept blob, as a rotting medium does; for tests of whoever must notice. */
  rot(hash: Hash, offset: number): void {
    const content = this.#blobs.get(keyOf(hash));
    assert(content !== undefined, "only a blob that is there can rot");
    assertRange(offset, 1, content.length);
    // Readers that are open share the medium, so they see it too.
    content[offset]! ^= 1;
  }

  /** Cuts a kept blob off, as a file system does that lost the end of a file. */
  truncate(hash: Hash, bytes: number): void {
    const key = keyOf(hash);
    const content = this.#blobs.get(key);
    assert(content !== undefined, "only a blob that is there can be cut off");
    assertRange(0, bytes, content.length);
    this.#space.give(content.length - bytes);
    this.#blobs.set(key, content.slice(0, bytes));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#blobs.clear();
    return Promise.resolve();
  }
}

/** The bytes left on a medium of limited size. */
class Space {
  #freeBytes: number;

  constructor(freeBytes: number) {
    this.#freeBytes = freeBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  take(bytes: number): void {
    if (bytes > this.#freeBytes) {
      throw new TesserasError(
        "diskFull",
        `Cannot write ${bytes} bytes: ${this.#freeBytes} are free`,
      );
    }
    this.#freeBytes -= bytes;
  }

  give(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

class MemoryWriter implements BlobWriter {
  readonly #space: Space;
  readonly #keep: (entry: BlobEntry, content: Uint8Array) => void;
  readonly #hasher = new Blake3();
  #content = new Uint8Array(0);
  #bytes = 0;
  #open = true;

  constructor(
    space: Space,
    keep: (entry: BlobEntry, content: Uint8Array) => void,
  ) {
    this.#space = space;
    this.#keep = keep;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    return step(signal, () => {
      assert(this.#open, "a blob is written before it is committed");
      this.#space.take(chunk.length);
      this.#reserve(this.#bytes + chunk.length);
      this.#content.set(chunk, this.#bytes);
      this.#hasher.update(chunk);
      this.#bytes += chunk.length;
    });
  }

  commit(signal: AbortSignal, expected?: Hash): Promise<BlobEntry> {
    return step(signal, () => {
      assert(this.#open, "a blob is committed once");
      const entry = { hash: this.#hasher.digest(), bytes: this.#bytes };
      this.#open = false;
      try {
        checkExpected(entry.hash, expected);
      } catch (error) {
        this.#space.give(this.#bytes);
        throw error;
      }
      this.#keep(entry, this.#content.slice(0, this.#bytes));
      return entry;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#open) this.#space.give(this.#bytes);
    this.#open = false;
    return Promise.resolve();
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#content.length) return;
    const grown = new Uint8Array(Math.max(bytes, 2 * this.#content.length));
    grown.set(this.#content.subarray(0, this.#bytes));
    this.#content = grown;
  }
}

class MemoryScratch implements Scratch {
  #content: Uint8Array;
  readonly #space: Space;
  readonly bytes: number;

  constructor(bytes: number, space: Space) {
    this.#content = new Uint8Array(bytes);
    this.#space = space;
    this.bytes = bytes;
  }

  write(
    offset: number,
    chunk: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    return step(signal, () => {
      assertRange(offset, chunk.length, this.bytes);
      this.#content.set(chunk, offset);
    });
  }

  read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    return step(signal, () => copyRange(this.#content, offset, into));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#space.give(this.#content.length);
    this.#content = new Uint8Array(0);
    return Promise.resolve();
  }
}

function copyRange(
  content: Uint8Array,
  offset: number,
  into: Uint8Array,
): number {
  const part = content.subarray(offset, offset + into.length);
  into.set(part);
  return part.length;
}

/** One step of work that never waits, as a promise: a throw inside is a rejection. */
function step<T>(signal: AbortSignal, work: () => T): Promise<T> {
  return Promise.try(() => {
    throwIfAborted(signal);
    return work();
  });
}
