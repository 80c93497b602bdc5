/** A tessera in a folder: an export, or a copy of one. */
import { TesserasError, throwIfAborted } from "@tesseras/core";
import { MIB, TESSERA_FILES_MAX } from "@tesseras/core/limits";
import { MANIFEST_PATH, type TesseraSource } from "@tesseras/tessera";
import { diskError } from "./disk_error.ts";
import { quoted } from "./quoted.ts";

/** Bytes read at once. */
const CHUNK_BYTES = 1 * MIB;
/** Entries of one folder: what a tessera may hold four times over (a memory is a folder of three files), and an end. */
const ENTRIES_MAX = 4 * TESSERA_FILES_MAX;
/** Folders below folders: a path of a tessera has at most eight parts. */
const DEPTH_MAX = 8;

/** A file found in the folder, and what tells that it is still the same one. */
type Found = { readonly bytes: number; readonly inode: number | null };

/**
 * The tessera in a folder: the folder itself, or the only `tessera-…` in it. Nothing is checked but that it is made of
 * plain files; whoever reads verifies.
 *
 * @throws `missing` when there is none; `unusable` when the folder cannot be read, holds several, or a link or a device
 */
export async function directorySource(
  path: string,
  signal: AbortSignal,
): Promise<TesseraSource> {
  const root = await findRoot(path, signal);
  const files = new Map<string, Found>();
  await collect({ root, files, entryCount: 0 }, "", signal);
  return {
    list: (signal) => {
      throwIfAborted(signal);
      return Promise.resolve(
        [...files].map(([path, { bytes }]) => ({ path, bytes })),
      );
    },
    read: (path, signal) => {
      const found = files.get(path);
      if (found === undefined) {
        throw new TesserasError(
          "missing",
          `Cannot read ${quoted(path)}: there is no such file in ${
            quoted(root)
          }`,
        );
      }
      return readChunks(`${root}/${path}`, found, signal);
    },
  };
}

async function findRoot(path: string, signal: AbortSignal): Promise<string> {
  const tried = `Cannot read a tessera from ${quoted(path)}`;
  try {
    const names: string[] = [];
    for await (const entry of Deno.readDir(path)) {
      throwIfAborted(signal);
      if (entry.name === MANIFEST_PATH) return path;
      if (entry.isDirectory && entry.name.startsWith("tessera-")) {
        names.push(entry.name);
      }
    }
    if (names.length === 1) return `${path}/${names[0]}`;
    throw names.length === 0
      ? new TesserasError(
        "missing",
        `${tried}: it holds neither a MANIFEST nor a folder tessera-…`,
      )
      : new TesserasError(
        "unusable",
        `${tried}: it holds ${names.length} tesseras, name one of them`,
      );
  } catch (error) {
    throw diskError(error, tried);
  }
}

async function collect(
  into: {
    readonly root: string;
    readonly files: Map<string, Found>;
    entryCount: number;
  },
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const at = folder === "" ? into.root : `${into.root}/${folder}`;
  const refuse = (name: string, reason: string): TesserasError =>
    new TesserasError(
      "unusable",
      `Cannot read a tessera from ${quoted(into.root)}: ${
        quoted(name)
      } ${reason}`,
    );
  try {
    for await (const entry of Deno.readDir(at)) {
      throwIfAborted(signal);
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (++into.entryCount > ENTRIES_MAX) {
        throw refuse(folder, `brings it to more than ${ENTRIES_MAX} entries`);
      }
      if (entry.isSymlink) throw refuse(name, "is a symbolic link");
      if (entry.isDirectory) {
        if (name.split("/").length >= DEPTH_MAX) {
          throw refuse(name, `lies ${DEPTH_MAX} folders deep`);
        }
        await collect(into, name, signal);
        continue;
      }
      const info = await look(`${into.root}/${name}`);
      if (info === undefined) {
        throw refuse(
          name,
          "cannot be found by its name, which may not be UTF-8",
        );
      }
      if (!info.isFile) throw refuse(name, "is neither a file nor a folder");
      into.files.set(name, { bytes: info.size, inode: info.ino });
    }
  } catch (error) {
    throw diskError(error, `Cannot read folder ${quoted(at)}`);
  }
}

async function look(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function* readChunks(
  path: string,
  found: Found,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const tried = `Cannot read ${quoted(path)}`;
  throwIfAborted(signal);
  try {
    using file = await Deno.open(path);
    const info = await file.stat();
    if (!info.isFile || info.ino !== found.inode) {
      throw new TesserasError(
        "unusable",
        `${tried}: it was replaced while the tessera was read`,
      );
    }
    const chunk = new Uint8Array(
      Math.max(1, Math.min(CHUNK_BYTES, info.size)),
    );
    for (;;) {
      throwIfAborted(signal);
      const count = await file.read(chunk);
      if (count === null) return;
      yield chunk.subarray(0, count);
    }
  } catch (error) {
    throw diskError(error, tried);
  }
}
