/** The pack: a tessera as one deterministic tar, computed while it is read and never written anywhere. */
import {
  assert,
  Semaphore,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { TESSERA_BYTES_MAX } from "@tesseras/core/limits";
import { comparePackOrder, isTesseraPath } from "./paths.ts";
import { paddedBytes, printTarHeader, TAR_BLOCK_BYTES } from "./tar_header.ts";
import { quoteText } from "./visible_text.ts";

/** A file that goes into a pack. */
export type PackEntry = { readonly path: string; readonly bytes: number };

/** A file and where its header begins in the pack. */
export type PackSegment = PackEntry & { readonly offset: number };

/** Where everything lies in a pack. */
export type PackLayout = {
  /** Total, the two blocks of zeros at the end included. */
  readonly bytes: number;
  /** In pack order. */
  readonly segments: readonly PackSegment[];
};

/** Bytes at any offset. Safe for concurrent calls. */
export interface ByteSource {
  readonly bytes: number;
  /** Fills as much of `into` as there is from the offset on; returns how many bytes that were. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<number>;
}

/** Opens the contents of one entry. */
export type OpenEntry = (
  path: string,
  signal: AbortSignal,
) => Promise<Omit<ByteSource, "bytes"> & AsyncDisposable>;

/** Entries in use at once, and entries kept open for the next read: one for each of 48 shards, the widest row that is coded. */
const OPEN_MAX = 48;
/** Bytes of the zeros that end a tar. */
const END_BYTES = 2 * TAR_BLOCK_BYTES;

/**
 * The pack of these files. Any order of them gives the same pack.
 *
 * @throws `unusable` when the pack is larger than a tessera may be; `malformed` for a path that no tessera has or that stands twice
 */
export function packLayout(entries: readonly PackEntry[]): PackLayout {
  const sorted = entries.toSorted((a, b) => comparePackOrder(a.path, b.path));
  const segments: PackSegment[] = [];
  let offset = 0;
  for (const { path, bytes } of sorted) {
    if (!isTesseraPath(path) || segments.at(-1)?.path === path) {
      throw new TesserasError(
        "malformed",
        `Cannot pack tessera: path ${
          quoteText(path)
        } is not allowed or stands twice`,
      );
    }
    segments.push({ path, bytes, offset });
    offset += TAR_BLOCK_BYTES + paddedBytes(bytes);
  }
  const bytes = offset + END_BYTES;
  if (bytes > TESSERA_BYTES_MAX) {
    throw new TesserasError(
      "unusable",
      `Cannot pack tessera: ${bytes} bytes, allowed are ${TESSERA_BYTES_MAX}`,
    );
  }
  return { bytes, segments };
}

/**
 * Reads a pack at any offset. Dispose it to close the entries it keeps open.
 *
 * @throws from `read`: `corrupt` when an entry is shorter than the layout says; what `open` throws
 */
export function packReader(
  layout: PackLayout,
  open: OpenEntry,
): ByteSource & AsyncDisposable {
  return new PackReader(layout, open);
}

type EntryReader = Awaited<ReturnType<OpenEntry>>;

class PackReader implements ByteSource, AsyncDisposable {
  readonly #layout: PackLayout;
  readonly #open: OpenEntry;
  readonly #reads = new Semaphore(OPEN_MAX);
  /** Open and not in use, least recently used first. One path may stand here several times. */
  #idle: { readonly path: string; readonly reader: EntryReader }[] = [];
  #disposed = false;

  constructor(layout: PackLayout, open: OpenEntry) {
    this.#layout = layout;
    this.#open = open;
  }

  get bytes(): number {
    return this.#layout.bytes;
  }

  async read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    assert(
      Number.isSafeInteger(offset) && offset >= 0,
      "a pack is read from a whole offset on",
    );
    throwIfAborted(signal);
    const count = Math.min(into.length, Math.max(0, this.bytes - offset));
    const out = into.subarray(0, count);
    // Padding and the end are zeros.
    out.fill(0);
    const { segments } = this.#layout;
    for (let i = this.#segmentAt(offset); i < segments.length; i++) {
      const segment = segments[i]!;
      if (segment.offset >= offset + count) break;
      copyOverlap(
        printTarHeader(segment.path, segment.bytes),
        segment.offset - offset,
        out,
      );
      await this.#readContent(segment, { out, offset }, signal);
    }
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const idle = this.#idle;
    this.#idle = [];
    for (const { reader } of idle) await reader[Symbol.asyncDispose]();
  }

  /** Index of the last segment that begins at or before the offset. */
  #segmentAt(offset: number): number {
    const { segments } = this.#layout;
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (segments[middle]!.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #readContent(
    segment: PackSegment,
    window: { readonly out: Uint8Array; readonly offset: number },
    signal: AbortSignal,
  ): Promise<void> {
    const start = segment.offset + TAR_BLOCK_BYTES - window.offset;
    const from = Math.max(0, start);
    const to = Math.min(window.out.length, start + segment.bytes);
    if (from >= to) return;
    using _place = await this.#reads.enter(signal);
    const reader = await this.#take(segment.path, signal);
    try {
      for (let at = from; at < to;) {
        const into = window.out.subarray(at, to);
        const read = await reader.read(at - start, into, signal);
        if (read === 0) throw tooShort(segment, at - start);
        at += read;
      }
    } finally {
      await this.#giveBack(segment.path, reader);
    }
  }

  async #take(path: string, signal: AbortSignal): Promise<EntryReader> {
    assert(!this.#disposed, "a pack is not read after it was disposed");
    const at = this.#idle.findLastIndex((idle) => idle.path === path);
    if (at >= 0) return this.#idle.splice(at, 1)[0]!.reader;
    return await this.#open(path, signal);
  }

  async #giveBack(path: string, reader: EntryReader): Promise<void> {
    if (this.#disposed) return await reader[Symbol.asyncDispose]();
    this.#idle.push({ path, reader });
    if (this.#idle.length > OPEN_MAX) {
      await this.#idle.shift()!.reader[Symbol.asyncDispose]();
    }
  }
}

function tooShort(segment: PackSegment, bytes: number): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot read ${segment.path}: ends after ${bytes} bytes, wanted ${segment.bytes}`,
  );
}

/** Copies `part`, which begins at `at` of `out` (maybe before it), as far as it lies inside. */
function copyOverlap(part: Uint8Array, at: number, out: Uint8Array): void {
  const from = Math.max(0, at);
  const to = Math.min(out.length, at + part.length);
  if (from < to) out.set(part.subarray(from - at, to - at), from);
}
