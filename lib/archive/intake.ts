/** The blobs of one piece of work: all of them come to be named by rows, or all go. */
import {
  type Hash,
  keyOf,
  mapBounded,
  messageOf,
  type Runtime,
  TesserasError,
} from "@tesseras/core";
import type { BlobEntry, BlobWriter } from "@tesseras/blobs";
import { BLOBS_PARALLEL, type Keepers, removeUnneeded } from "./holds.ts";

/** How long cleaning up after a failure may take before the rest is left to a sweep. */
const CLEANUP_MS = 30_000;

/**
 * Collects the blobs that one piece of work commits. Until {@link keep} they are in hand, and disposing removes them.
 * What a killed process leaves is found by a sweep.
 */
export class Intake implements AsyncDisposable {
  readonly #keepers: Keepers;
  readonly #runtime: Runtime;
  readonly #taken = new Map<string, BlobEntry>();
  #kept = false;

  constructor(keepers: Keepers, runtime: Runtime) {
    this.#keepers = keepers;
    this.#runtime = runtime;
  }

  /** Commits a blob into this work. @throws `corrupt` when it is not the expected one, `diskFull` */
  async commit(
    writer: BlobWriter,
    signal: AbortSignal,
    expected?: Hash,
  ): Promise<BlobEntry> {
    const entry = await writer.commit(signal, expected);
    const key = keyOf(entry.hash);
    if (!this.#taken.has(key)) {
      this.#taken.set(key, entry);
      this.#keepers.holds.take(entry.hash);
    }
    return entry;
  }

  /** Makes a blob of bytes in memory. Borrows them. */
  async add(
    content: Uint8Array,
    signal: AbortSignal,
    expected?: Hash,
  ): Promise<BlobEntry> {
    await using writer = await this.#keepers.blobs.create(signal);
    await writer.write(content, signal);
    return await this.commit(writer, signal, expected);
  }

  /**
   * Called when rows name the blobs: they stay.
   *
   * @throws `inUse` when another process has removed one meanwhile; the rows are wrong then and must go
   */
  async keep(signal: AbortSignal): Promise<void> {
    const missing = await mapBounded(
      this.#taken.values(),
      BLOBS_PARALLEL,
      async ({ hash, bytes }, signal) =>
        await this.#keepers.blobs.size(hash, signal) !== bytes,
      signal,
    );
    const count = missing.filter(Boolean).length;
    if (count > 0) {
      throw new TesserasError(
        "inUse",
        `Cannot keep ${this.#taken.size} files: another process removed ${count} of them meanwhile; try again`,
      );
    }
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#taken.values()];
    this.#taken.clear();
    for (const { hash } of entries) this.#keepers.holds.release(hash);
    if (this.#kept || entries.length === 0) return;
    // The work may have been cancelled; tidying up after it has a time of its own.
    const never = new AbortController().signal;
    using deadline = this.#runtime.clock.deadline(CLEANUP_MS, never);
    try {
      await removeUnneeded(
        this.#keepers,
        entries.map(({ hash }) => hash),
        deadline.signal,
      );
    } catch (error) {
      // What failed first is what the caller must hear of; a sweep finds what is left.
      this.#runtime.counters.add("archive.cleanup_failed");
      this.#runtime.log.warn("archive.cleanup_failed", {
        blobs: entries.length,
        reason: messageOf(error),
      });
    }
  }
}
