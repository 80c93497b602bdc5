/** Reading a tar by its index: our own packs, and tars that people make of an exported folder. Hostile until proven plain. */
import {
  assert,
  fromUtf8,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { TESSERA_BYTES_MAX, TESSERA_FILES_MAX } from "@tesseras/core/limits";
import type { ByteSource } from "./pack.ts";
import {
  paddedBytes,
  parseTarHeader,
  TAR_BLOCK_BYTES,
  type TarHeader,
} from "./tar_header.ts";
import { escapeText, quoteText } from "./visible_text.ts";

/** A file in a tar: its contents lie there as they are. */
export type TarEntry = {
  /** Relative, with `/`. Safe to show and to compare; not yet known to belong to a tessera. */
  readonly path: string;
  /** Of the contents. */
  readonly offset: number;
  readonly bytes: number;
};

/** Headers of a tar, folders and extensions included: a folder a file and an extension each. */
const HEADERS_MAX = 3 * TESSERA_FILES_MAX;
/** Bytes of one extension header: names and times; a path is at most {@link PATH_BYTES_MAX}. */
const EXTENSION_BYTES_MAX = 64 * 1024;
/** UTF-8 bytes of a path, as most systems have it. */
const PATH_BYTES_MAX = 1_024;
/** Bytes read at once while looking for headers, which small files follow closely. */
const WINDOW_BYTES = 64 * 1024;
/** Bytes of zeros after the end: tar programs fill up to 10 KiB, tapes to 1 MiB. */
const TRAILING_BYTES_MAX = 1024 * 1024;
/** The folder that an export is, whatever its hash. */
const TOP_FOLDER = /^tessera-[0-9a-f]+\//;
/** Facts of pax headers that change nothing for us (POSIX pax; libarchive and star use their own prefixes). */
const PAX_IGNORED =
  /^(?:[acm]time|[ug]id|[ug]name|comment|charset|hdrcharset|LIBARCHIVE\..*|SCHILY\..*|MSWINDOWS\..*)$/;

/**
 * The files in a tar, in its order, a leading `./` or one common `tessera-<hash>/` taken away.
 *
 * @throws `malformed`, naming the entry, for links, devices, paths that are absolute or climb, the same path twice, bad
 *   checksums, sizes beyond a tessera's, and a tar that ends too soon
 */
export async function indexTar(
  source: ByteSource,
  signal: AbortSignal,
): Promise<readonly TarEntry[]> {
  const walk = new TarWalk(source);
  for (let count = 0;; count++) {
    throwIfAborted(signal);
    if (count > HEADERS_MAX) {
      throw malformed(`more than ${HEADERS_MAX} entries`);
    }
    if (!await walk.step(signal)) break;
  }
  return withoutTopFolder(walk.entries);
}

/** Walks from header to header and remembers what extension headers say about the next entry. */
class TarWalk {
  readonly entries: TarEntry[] = [];
  readonly #window: Window;
  readonly #bytes: number;
  readonly #paths = new Set<string>();
  #at = 0;
  #total = 0;
  /** The path that an extension header gave for the entry after it. */
  #nextPath: string | undefined;

  constructor(source: ByteSource) {
    this.#window = new Window(source);
    this.#bytes = source.bytes;
  }

  /** Takes one header and skips its contents; false at the end of the tar. */
  async step(signal: AbortSignal): Promise<boolean> {
    const headerAt = this.#at;
    const header = await this.#header(signal);
    if (header === undefined) {
      await this.#finish(signal);
      return false;
    }
    const contentAt = headerAt + TAR_BLOCK_BYTES;
    const path = this.#nextPath ?? header.path;
    const shown = quoteText(path);
    this.#at = contentAt + paddedBytes(header.bytes);
    if (this.#at > this.#bytes) {
      throw malformed(`entry ${shown}: the tar ends before its contents do`);
    }
    switch (header.type) {
      case "x":
      case "L":
        this.#extend(
          header,
          await this.#extension(contentAt, header.bytes, signal),
        );
        return true;
      case "g":
        paxPath(await this.#extension(contentAt, header.bytes, signal));
        return true;
      case "0":
        if (!path.endsWith("/")) this.#addFile(path, contentAt, header.bytes);
        break;
      case "5":
        if (header.bytes > 0) {
          throw malformed(`entry ${shown}: a folder with contents`);
        }
        break;
      default:
        throw malformed(
          `entry ${shown}: of type ${
            quoteText(header.type)
          }, allowed are plain files and folders`,
        );
    }
    this.#nextPath = undefined;
    return true;
  }

  async #header(signal: AbortSignal): Promise<TarHeader | undefined> {
    const block = await this.#window.read(this.#at, TAR_BLOCK_BYTES, signal);
    try {
      return parseTarHeader(block);
    } catch (cause) {
      if (!(cause instanceof TesserasError)) throw cause;
      const after = this.entries.at(-1)?.path;
      throw malformed(
        `at byte ${this.#at}${
          after === undefined ? "" : `, after ${quoteText(after)}`
        }: ${cause.message.replace(/^Cannot read tar entry: /, "")}`,
        cause,
      );
    }
  }

  async #extension(
    at: number,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (bytes > EXTENSION_BYTES_MAX) {
      throw malformed(
        `at byte ${at}: an extension header of ${bytes} bytes, allowed are ${EXTENSION_BYTES_MAX}`,
      );
    }
    return await this.#window.read(at, bytes, signal);
  }

  #extend(header: TarHeader, content: Uint8Array): void {
    const path = header.type === "x" ? paxPath(content) : longName(content);
    this.#nextPath = path ?? this.#nextPath;
  }

  #addFile(path: string, offset: number, bytes: number): void {
    const plain = plainPath(path);
    const shown = quoteText(plain);
    if (this.#paths.has(plain)) throw malformed(`entry ${shown}: stands twice`);
    this.#paths.add(plain);
    this.#total += bytes;
    if (this.#total > TESSERA_BYTES_MAX) {
      throw malformed(
        `entry ${shown}: more than ${TESSERA_BYTES_MAX} bytes of files`,
      );
    }
    this.entries.push({ path: plain, offset, bytes });
    // The unlisted files and what a person's system dropped in between come on top of those a MANIFEST lists.
    if (this.entries.length > 2 * TESSERA_FILES_MAX) {
      throw malformed(`more than ${2 * TESSERA_FILES_MAX} files`);
    }
  }

  /** After the first block of zeros there are only zeros: a second tar behind the first would be read by some tools and not by us. */
  async #finish(signal: AbortSignal): Promise<void> {
    if (this.#nextPath !== undefined) {
      throw malformed("its last extension header has no entry");
    }
    const left = this.#bytes - this.#at;
    if (left < 2 * TAR_BLOCK_BYTES) throw malformed("its end is cut off");
    if (left > TRAILING_BYTES_MAX) {
      throw malformed(
        `${left} bytes after its end, allowed are ${TRAILING_BYTES_MAX}`,
      );
    }
    while (this.#at < this.#bytes) {
      const count = Math.min(WINDOW_BYTES, this.#bytes - this.#at);
      const rest = await this.#window.read(this.#at, count, signal);
      if (rest.some((byte) => byte !== 0)) {
        throw malformed(`bytes that are not zero after its end`);
      }
      this.#at += count;
    }
  }
}

/** A stretch of the tar in memory. */
class Window {
  readonly #source: ByteSource;
  readonly #buffer = new Uint8Array(WINDOW_BYTES);
  #start = 0;
  #length = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** `count` bytes, at most {@link WINDOW_BYTES}; borrowed until the next call. */
  async read(
    offset: number,
    count: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    assert(count <= WINDOW_BYTES, "a window is read in one piece");
    if (offset < this.#start || offset + count > this.#start + this.#length) {
      await this.#fill(offset, signal);
    }
    const from = offset - this.#start;
    if (from + count > this.#length) {
      throw malformed(
        `ends at byte ${this.#start + this.#length}, in the middle of an entry`,
      );
    }
    return this.#buffer.subarray(from, from + count);
  }

  async #fill(offset: number, signal: AbortSignal): Promise<void> {
    this.#start = offset;
    this.#length = 0;
    while (this.#length < WINDOW_BYTES) {
      const read = await this.#source.read(
        offset + this.#length,
        this.#buffer.subarray(this.#length),
        signal,
      );
      if (read === 0) return;
      this.#length += read;
    }
  }
}

/** The path of a pax header, if it gives one. @throws `malformed` for facts that would change what an entry is */
function paxPath(content: Uint8Array): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const digits = space < 0 ? "" : text(content.subarray(at, space));
    const length = /^[1-9]\d{0,5}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length <= digits.length + 1 || end > content.length) {
      throw malformed("a pax header whose lengths do not fit");
    }
    const record = text(content.subarray(space + 1, end));
    const [, key, value] = /^([^=]+)=(.*)\n$/s.exec(record) ?? [];
    if (key === "path") path = value;
    else if (key === undefined || !PAX_IGNORED.test(key)) {
      throw malformed(
        `a pax header with ${quoteText(record)}`,
      );
    }
    at = end;
  }
  return path;
}

/** GNU's way to write a long name: as the contents of an entry, with a NUL at the end. */
function longName(content: Uint8Array): string {
  const end = content.indexOf(0);
  return text(end < 0 ? content : content.subarray(0, end));
}

/** A relative path without `./` in front. @throws `malformed` for one that leads elsewhere or cannot be shown */
function plainPath(path: string): string {
  const plain = path.replace(/^(?:\.\/)+/, "");
  const shown = quoteText(path);
  if (new TextEncoder().encode(plain).length > PATH_BYTES_MAX) {
    throw malformed(`entry ${shown}: a path over ${PATH_BYTES_MAX} bytes`);
  }
  const isPlain = plain.split("/").every((part) =>
    part !== "" && part !== "." && part !== ".."
  );
  if (!isPlain) {
    throw malformed(`entry ${shown}: the path leads out of the tessera`);
  }
  // Control characters, marks that deceive the eye, and the backslash, which some systems take for a slash.
  if (escapeText(plain) !== plain) {
    throw malformed(`entry ${shown}: the path has a character it may not have`);
  }
  return plain;
}

function withoutTopFolder(entries: readonly TarEntry[]): readonly TarEntry[] {
  const top = TOP_FOLDER.exec(entries[0]?.path ?? "")?.[0];
  if (
    top === undefined || !entries.every((entry) => entry.path.startsWith(top))
  ) return entries;
  return entries.map((entry) => ({
    ...entry,
    path: entry.path.slice(top.length),
  }));
}

function text(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw malformed("a header that is not UTF-8", cause);
  }
}

function malformed(what: string, cause?: unknown): TesserasError {
  return new TesserasError(
    "malformed",
    `Cannot read tar: ${what}`,
    cause === undefined ? undefined : { cause },
  );
}
