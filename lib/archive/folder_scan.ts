/** Finds in a person's folder what a tessera can keep. */
import {
  compare,
  mapBounded,
  TesserasError,
  throwIfAborted,
  utf8,
} from "@tesseras/core";
import { TESSERA_BYTES_MAX, TESSERA_FILES_MAX } from "@tesseras/core/limits";
import { kindOf } from "@tesseras/tessera";
import { diskError, diskReason } from "./disk_error.ts";
import { quoted } from "./quoted.ts";
import type {
  FolderScan,
  LeftOut,
  SourceFile,
  SourceReader,
} from "./source_file.ts";

/** Entries we look at in one folder: four for every file a tessera may have, and an end for a scan of `/`. */
const ENTRIES_MAX = 4 * TESSERA_FILES_MAX;
/** Folders below folders: beyond what a person makes by hand, far below what the paths of a system allow. */
const DEPTH_MAX = 64;
/** Memories in one tessera: each is three files of it, and some fifty belong to all of them. */
const MEMORIES_MAX = Math.floor((TESSERA_FILES_MAX - 50) / 3);
/** Bytes a memory takes in a pack beside its own, at least: three headers, and two small files of a block each. */
const MEMORY_OVERHEAD_BYTES = 5 * 512;
/** Files looked at at once: enough to hide the latency of a slow disk. */
const PROBES_PARALLEL = 16;

const SUPPORTED = ".jpg, .jpeg, .png, .wav, .webm and .txt";

/** A file as it was when we found it: a later look that differs means somebody wrote to it. */
type Stamp = {
  readonly bytes: number;
  readonly modifiedAtMs: number;
  readonly device: number;
  readonly inode: number | null;
};

type Found = { readonly file: SourceFile } | { readonly leftOut: LeftOut };

/**
 * Looks through a folder and the folders below it. Nothing is copied. Links are not followed, and names are taken as
 * they are: what is found does not depend on the order in which the file system tells it.
 *
 * @throws `missing` when there is no such folder; `unusable` when it cannot be read, holds nothing a tessera keeps, or
 * more than {@link TESSERA_FILES_MAX} files or {@link TESSERA_BYTES_MAX} bytes of it
 */
export async function scanFolder(
  path: string,
  signal: AbortSignal,
): Promise<FolderScan> {
  await checkFolder(path);
  const walk = new Walk(path);
  await walk.run(signal);
  const found = await mapBounded(
    walk.candidates,
    PROBES_PARALLEL,
    (name) => probe(path, name),
    signal,
  );
  const files = found.flatMap((item) => "file" in item ? [item.file] : []);
  const leftOut = [
    ...walk.leftOut,
    ...found.flatMap((item) => "leftOut" in item ? [item.leftOut] : []),
  ];
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  checkLimits(path, files, bytes);
  return { path, files: sorted(files), leftOut: sorted(leftOut), bytes };
}

async function checkFolder(path: string): Promise<void> {
  const tried = `Cannot read folder ${quoted(path)}`;
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) return;
  } catch (error) {
    throw diskError(error, tried);
  }
  throw new TesserasError("unusable", `${tried}: it is not a folder`);
}

function checkLimits(
  path: string,
  files: readonly SourceFile[],
  bytes: number,
): void {
  const tried = `Cannot make a tessera of folder ${quoted(path)}`;
  if (files.length === 0) {
    throw new TesserasError(
      "unusable",
      `${tried}: it holds no memory that can be kept, wanted at least one file of ${SUPPORTED}`,
    );
  }
  if (files.length > MEMORIES_MAX) {
    throw new TesserasError(
      "unusable",
      `${tried}: it holds ${files.length} memories, limit ${MEMORIES_MAX}`,
    );
  }
  const packBytes = bytes + files.length * MEMORY_OVERHEAD_BYTES;
  if (packBytes > TESSERA_BYTES_MAX) {
    throw new TesserasError(
      "unusable",
      `${tried}: its ${files.length} memories are ${bytes} bytes together, limit with what is told about them ${TESSERA_BYTES_MAX}`,
    );
  }
}

/** The names below one folder, sorted into those worth a look and those left out. */
class Walk {
  readonly candidates: string[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly #root: string;
  #entryCount = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async run(signal: AbortSignal): Promise<void> {
    const folders = [{ name: "", depth: 0 }];
    for (let next = folders.pop(); next; next = folders.pop()) {
      for (const entry of await this.#entries(next.name, signal)) {
        const name = next.name === ""
          ? entry.name
          : `${next.name}/${entry.name}`;
        const reason = reasonOf(entry, next.depth + 1);
        if (reason !== undefined) this.leftOut.push({ name, reason });
        else if (entry.isDirectory) {
          folders.push({ name, depth: next.depth + 1 });
        } else this.candidates.push(name);
      }
    }
  }

  async #entries(
    folder: string,
    signal: AbortSignal,
  ): Promise<readonly Deno.DirEntry[]> {
    const path = folder === "" ? this.#root : `${this.#root}/${folder}`;
    const entries: Deno.DirEntry[] = [];
    try {
      for await (const entry of Deno.readDir(path)) {
        throwIfAborted(signal);
        this.#count();
        entries.push(entry);
      }
    } catch (error) {
      if (error instanceof TesserasError) throw error;
      if (folder === "") {
        throw diskError(error, `Cannot read folder ${quoted(path)}`);
      }
      const reason = `The folder cannot be read: ${diskReason(error)}`;
      this.leftOut.push({ name: folder, reason });
      return [];
    }
    return entries;
  }

  #count(): void {
    if (++this.#entryCount <= ENTRIES_MAX) return;
    throw new TesserasError(
      "unusable",
      `Cannot read folder ${
        quoted(this.#root)
      }: it holds more than ${ENTRIES_MAX} files and folders`,
    );
  }
}

/** Why an entry is left out by what the folder says of it alone; `undefined` when it is worth a look. */
function reasonOf(entry: Deno.DirEntry, depth: number): string | undefined {
  if (entry.isSymlink) {
    return "It is a symbolic link, and links are not followed";
  }
  // Programs keep their own things under such names: previews, indexes, resource forks with a photo's ending.
  if (entry.name.startsWith(".")) {
    return entry.isDirectory ? "It is a hidden folder" : "It is a hidden file";
  }
  if (entry.isDirectory) {
    return depth > DEPTH_MAX
      ? `It lies more than ${DEPTH_MAX} folders deep`
      : undefined;
  }
  if (!entry.isFile) return "It is neither a file nor a folder";
  if (kindOf(entry.name) === undefined) {
    return `Its type is not supported, only ${SUPPORTED} are`;
  }
  return undefined;
}

/** Looks at one file, opening it to learn whether it can be read. */
async function probe(root: string, name: string): Promise<Found> {
  const kind = kindOf(name);
  const path = `${root}/${name}`;
  const leftOut = (reason: string): Found => ({ leftOut: { name, reason } });
  if (kind === undefined) return leftOut("Its type is not supported");
  try {
    const seen = await Deno.lstat(path);
    if (!seen.isFile) return leftOut("It changed while we looked");
    if (seen.size === 0) return leftOut("It is empty");
    const stamp = stampOf(seen);
    using file = await Deno.open(path);
    if (!sameStamp(stamp, stampOf(await file.stat()))) {
      return leftOut("It changed while we looked");
    }
    const { bytes, modifiedAtMs } = stamp;
    const open = (signal: AbortSignal): Promise<SourceReader> =>
      openSource({ path, name, stamp }, signal);
    return { file: { name, kind, bytes, modifiedAtMs, open } };
  } catch (error) {
    // Names that are not UTF-8 come with the replacement character, under which nothing is found.
    if (error instanceof Deno.errors.NotFound && name.includes("\ufffd")) {
      return leftOut("Its name is not UTF-8");
    }
    return leftOut(`It cannot be read: ${diskReason(error)}`);
  }
}

async function openSource(
  { path, name, stamp }: {
    readonly path: string;
    readonly name: string;
    readonly stamp: Stamp;
  },
  signal: AbortSignal,
): Promise<SourceReader> {
  throwIfAborted(signal);
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw diskError(error, `Cannot keep ${quoted(name)}`);
  }
  const reader = new OpenedFile(file, name, stamp);
  try {
    await reader.checkUnchanged(signal);
    return reader;
  } catch (error) {
    await reader[Symbol.asyncDispose]();
    throw error;
  }
}

class OpenedFile implements SourceReader {
  readonly #file: Deno.FsFile;
  readonly #name: string;
  readonly #stamp: Stamp;

  constructor(file: Deno.FsFile, name: string, stamp: Stamp) {
    this.#file = file;
    this.#name = name;
    this.#stamp = stamp;
  }

  async read(into: Uint8Array, signal: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    try {
      return await this.#file.read(into) ?? 0;
    } catch (error) {
      throw diskError(error, `Cannot keep ${quoted(this.#name)}`);
    }
  }

  async checkUnchanged(signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const seen = await this.#file.stat();
    if (seen.isFile && sameStamp(this.#stamp, stampOf(seen))) return;
    throw new TesserasError(
      "unusable",
      `Cannot keep ${
        quoted(this.#name)
      }: it changed while it was read; try again when nothing writes to it`,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}

function stampOf(info: Deno.FileInfo): Stamp {
  return {
    bytes: info.size,
    modifiedAtMs: info.mtime?.getTime() ?? 0,
    device: info.dev,
    inode: info.ino,
  };
}

function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.bytes === b.bytes && a.modifiedAtMs === b.modifiedAtMs &&
    a.device === b.device && a.inode === b.inode;
}

function sorted<T extends { readonly name: string }>(
  items: readonly T[],
): readonly T[] {
  return items
    .map((item) => ({ item, order: utf8(item.name) }))
    .sort((a, b) => compare(a.order, b.order))
    .map(({ item }) => item);
}
