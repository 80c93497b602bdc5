/** A tessera that lies somewhere on a disk, outside the archive. */
import { quoted } from "@tesseras/archive";
import { directorySource, tarSource } from "@tesseras/archive/folder";
import { TesserasError } from "@tesseras/core";
import type { TesseraSource } from "@tesseras/tessera";

/**
 * The tessera in a folder or in a tar file. Dispose it.
 *
 * @throws `missing` when there is nothing at the path, and what reading it throws
 */
export async function openSource(
  path: string,
  signal: AbortSignal,
): Promise<TesseraSource & AsyncDisposable> {
  if (!await isFolder(path)) return await tarSource(path, signal);
  const source = await directorySource(path, signal);
  return {
    list: source.list,
    read: source.read,
    // Its files are opened and closed as they are read.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file or folder"
      : "it cannot be looked at";
    throw new TesserasError(
      "missing",
      `Cannot read a tessera from ${quoted(path)}: ${reason}`,
      { cause },
    );
  }
}
