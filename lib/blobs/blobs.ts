/** The port to bytes kept by their hash, and the two things every user of it needs: a whole blob, and the truth about one. */
import {
  assert,
  codeOf,
  equal,
  type Hash,
  keyOf,
  TesserasError,
} from "@tesseras/core";
import { BULK_BYTES_MAX, KIB, MIB } from "@tesseras/core/limits";
import { Blake3 } from "@tesseras/crypto";

/** Large writes to a {@link Scratch} that begin at multiples of this are the cheapest: the block of common disks. */
export const BLOCK_BYTES = 4 * KIB;
/** Bytes read at once while a blob is hashed: large enough that the calls cost nothing beside the hashing. */
const VERIFY_WINDOW_BYTES = 1 * MIB;

/**
 * Bytes by their BLAKE3 hash, each kept once. It counts no references: who
 * refers to what is for the state to know.
 *
 * Every method throws `cancelled` when its signal aborts, `diskFull` when the
 * bytes do not fit, `corrupt` when the medium cannot give back what it took,
 * and `unusable` for any other refusal of the file system.
 */
export interface Blobs extends AsyncDisposable {
  /** Starts a blob; what it wrote vanishes on dispose unless committed. Dispose it in any case. */
  create(signal: AbortSignal, access?: Access): Promise<BlobWriter>;
  /** Opens a blob for reading; `undefined` when absent. Dispose what it returns. */
  open(
    hash: Hash,
    signal: AbortSignal,
    access?: Access,
  ): Promise<BlobReader | undefined>;
  /** Bytes of a blob, `undefined` when absent. Its content is not looked at. */
  size(hash: Hash, signal: AbortSignal): Promise<number | undefined>;
  /** Forgets a blob; `false` when there was none. Readers that are open go on reading. */
  remove(hash: Hash, signal: AbortSignal): Promise<boolean>;
  /**
   * Forgets a blob unless it is needed, which is asked when it can no longer be found. Whoever finds it after having said that
   * they need it therefore keeps it, in whatever process they are. Whoever looks for it in this process waits until that is known,
   * so `isNeeded` must not look for it itself.
   *
   * @returns whether there was one that is forgotten now
   */
  removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean>;
  /**
   * Takes a blob away that is not what its name says, and keeps it aside with a note for a person. Returns where, for people;
   * `undefined` when there was none.
   */
  quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** Every committed blob, unordered, for sweeps and rebuilds. One that comes or goes meanwhile may or may not be listed. */
  list(signal: AbortSignal): AsyncIterable<BlobEntry>;
  /** A temporary random-access file of zeros, gone on dispose. Space is taken as it is written. */
  scratch(bytes: number, signal: AbortSignal): Promise<Scratch>;
  /** Bytes that can still be written to the file system below. */
  freeBytes(signal: AbortSignal): Promise<number>;
}

/**
 * Whether the same bytes are likely to be read again soon. Those that are not (`cold`) need not push others out of the
 * system's cache; `hot` unless told. What is read to find out how the medium is (`fresh`) comes from no memory of ours.
 */
export type Access = "hot" | "cold" | "fresh";

/** A blob as {@link Blobs.list} tells it. */
export type BlobEntry = { readonly hash: Hash; readonly bytes: number };

/** A blob being written by one owner, one call at a time. */
export interface BlobWriter extends AsyncDisposable {
  /** Bytes written so far. */
  readonly bytes: number;
  /** Appends. The chunk is borrowed until the promise settles, and hashed on the way. */
  write(chunk: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Makes the blob durable: when it resolves, a power cut can no longer take
   * it back. Committing bytes that are kept already writes them afresh, which
   * heals a copy that rotted.
   *
   * @throws `corrupt` when the bytes do not hash to `expected`; nothing is kept
   */
  commit(signal: AbortSignal, expected?: Hash): Promise<BlobEntry>;
}

/**
 * A blob open for reading. It gives the bytes that are there and does not hash
 * them: whoever passes them on checks them against {@link hash}, or calls {@link verify}.
 */
export interface BlobReader extends AsyncDisposable {
  readonly hash: Hash;
  readonly bytes: number;
  /** Reads at an offset, fills as much of `into` as there is, and returns the bytes read: 0 from the end on. Safe for concurrent calls. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<number>;
}

/** A temporary random-access file. Safe for concurrent calls on ranges that do not overlap. */
export interface Scratch extends AsyncDisposable {
  readonly bytes: number;
  /** Writes at an offset; the chunk is borrowed until the promise settles and must end within {@link bytes}. */
  write(offset: number, chunk: Uint8Array, signal: AbortSignal): Promise<void>;
  /** As {@link BlobReader.read}. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<number>;
}

/** What {@link verify} found. */
export type BlobHealth = "ok" | "corrupt" | "absent";

/**
 * The whole blob in memory, unhashed. For what is small by its nature: manifests, fragments.
 *
 * @throws `unusable` above {@link BULK_BYTES_MAX}, `corrupt` when the blob is shorter than it was when opened
 */
export async function readAll(
  reader: BlobReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (reader.bytes > BULK_BYTES_MAX) {
    throw new TesserasError(
      "unusable",
      `Cannot read blob ${
        keyOf(reader.hash)
      } at once: ${reader.bytes} bytes, limit ${BULK_BYTES_MAX}`,
    );
  }
  const whole = new Uint8Array(reader.bytes);
  const filled = await readFully(reader, 0, whole, signal);
  if (filled !== whole.length) {
    throw new TesserasError(
      "corrupt",
      `Cannot read blob ${
        keyOf(reader.hash)
      }: it ends after ${filled} of ${whole.length} bytes`,
    );
  }
  return whole;
}

/** Re-reads a blob in flat memory and compares its hash with its name. */
export async function verify(
  blobs: Blobs,
  hash: Hash,
  signal: AbortSignal,
): Promise<BlobHealth> {
  await using reader = await blobs.open(hash, signal, "fresh");
  if (reader === undefined) return "absent";
  const hasher = new Blake3();
  const window = new Uint8Array(
    Math.max(1, Math.min(VERIFY_WINDOW_BYTES, reader.bytes)),
  );
  try {
    for (let at = 0;;) {
      const count = await reader.read(at, window, signal);
      if (count === 0) break;
      hasher.update(window.subarray(0, count));
      at += count;
    }
  } catch (error) {
    if (codeOf(error) === "corrupt") return "corrupt";
    throw error;
  }
  return equal(hasher.digest(), hash) ? "ok" : "corrupt";
}

/** Refuses a range that our own code must never ask for. */
export function assertRange(offset: number, bytes: number, end: number): void {
  assert(
    Number.isSafeInteger(offset) && offset >= 0 && offset + bytes <= end,
    `a range of ${bytes} bytes at ${offset} lies within ${end} bytes`,
  );
}

/** @throws `corrupt` when a blob was to have another hash */
export function checkExpected(seen: Hash, expected: Hash | undefined): void {
  if (expected === undefined || equal(seen, expected)) return;
  throw new TesserasError(
    "corrupt",
    `Cannot keep blob: its hash is ${keyOf(seen)}, wanted ${keyOf(expected)}`,
  );
}

async function readFully(
  reader: BlobReader,
  offset: number,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const count = await reader.read(
      offset + filled,
      into.subarray(filled),
      signal,
    );
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
