/** Small blobs in memory: manifests, plans and small fragments are read again and again. */
import { assert, type Counters, equal, type Hash, keyOf } from "@tesseras/core";
import { KIB, MIB } from "@tesseras/core/limits";
import { blake3 } from "@tesseras/crypto";
import {
  type Access,
  type BlobEntry,
  type BlobReader,
  type Blobs,
  type BlobWriter,
  readAll,
  type Scratch,
} from "./blobs.ts";
import { HeldReader } from "./held_reader.ts";

/** What a {@link ReadCache} may be told. */
export type ReadCacheOptions = {
  /** Bytes of all blobs in memory. */
  readonly cacheBytes?: number;
  /** Bytes of the largest blob that is held. */
  readonly blobBytesMax?: number;
};

/** What a {@link ReadCache} holds unless told: a manifest of a thousand files, or fragments of a small tessera. */
export const READ_CACHE_DEFAULTS = {
  cacheBytes: 16 * MIB,
  blobBytesMax: 128 * KIB,
} as const;

/**
 * {@link Blobs} that hold what was read last in memory, by bytes. Whether a blob is there is always asked of those below, and
 * `fresh` reads go to them. Only bytes that hash to their name are held. Owns those below.
 */
export class ReadCache implements Blobs {
  readonly #below: Blobs;
  readonly #counters: Counters;
  readonly #options: Required<ReadCacheOptions>;
  /** Least recently used first. */
  readonly #held = new Map<string, Uint8Array>();
  #heldBytes = 0;

  constructor(
    below: Blobs,
    counters: Counters,
    options: ReadCacheOptions = {},
  ) {
    this.#below = below;
    this.#counters = counters;
    this.#options = { ...READ_CACHE_DEFAULTS, ...options };
  }

  /** Bytes in memory now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  async open(
    hash: Hash,
    signal: AbortSignal,
    access?: Access,
  ): Promise<BlobReader | undefined> {
    if (access === "fresh") return await this.#below.open(hash, signal, access);
    const bytes = await this.#below.size(hash, signal);
    if (bytes === undefined) {
      this.#drop(hash);
      return undefined;
    }
    if (bytes > this.#options.blobBytesMax) {
      return await this.#below.open(hash, signal, access);
    }
    const held = this.#take(hash);
    if (held?.length === bytes) {
      this.#counters.add("blobs.cache_hit");
      return new HeldReader(hash, held);
    }
    this.#counters.add("blobs.cache_miss");
    return await this.#read(hash, signal);
  }

  create(signal: AbortSignal, access?: Access): Promise<BlobWriter> {
    return this.#below.create(signal, access);
  }

  size(hash: Hash, signal: AbortSignal): Promise<number | undefined> {
    return this.#below.size(hash, signal);
  }

  remove(hash: Hash, signal: AbortSignal): Promise<boolean> {
    this.#drop(hash);
    return this.#below.remove(hash, signal);
  }

  removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    this.#drop(hash);
    return this.#below.removeUnless(hash, isNeeded, signal);
  }

  quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    this.#drop(hash);
    return this.#below.quarantine(hash, note, signal);
  }

  list(signal: AbortSignal): AsyncIterable<BlobEntry> {
    return this.#below.list(signal);
  }

  scratch(bytes: number, signal: AbortSignal): Promise<Scratch> {
    return this.#below.scratch(bytes, signal);
  }

  freeBytes(signal: AbortSignal): Promise<number> {
    return this.#below.freeBytes(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.clear();
    this.#heldBytes = 0;
    await this.#below[Symbol.asyncDispose]();
  }

  /** Reads a small blob whole. One that rotted is given as it is, so that its reader notices. */
  async #read(
    hash: Hash,
    signal: AbortSignal,
  ): Promise<BlobReader | undefined> {
    await using reader = await this.#below.open(hash, signal);
    if (reader === undefined) return undefined;
    const bytes = await readAll(reader, signal);
    if (equal(blake3(bytes), hash)) this.#hold(hash, bytes);
    return new HeldReader(hash, bytes);
  }

  #hold(hash: Hash, bytes: Uint8Array): void {
    this.#drop(hash);
    if (bytes.length > this.#options.cacheBytes) return;
    this.#held.set(keyOf(hash), bytes);
    this.#heldBytes += bytes.length;
    for (const [key, oldest] of this.#held) {
      if (this.#heldBytes <= this.#options.cacheBytes) return;
      this.#held.delete(key);
      this.#heldBytes -= oldest.length;
    }
  }

  /** A held blob, from now on the one used last. */
  #take(hash: Hash): Uint8Array | undefined {
    const key = keyOf(hash);
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, held);
    return held;
  }

  #drop(hash: Hash): void {
    const key = keyOf(hash);
    this.#heldBytes -= this.#held.get(key)?.length ?? 0;
    this.#held.delete(key);
    assert(this.#heldBytes >= 0, "what is dropped was held");
  }
}
