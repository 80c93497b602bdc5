/** A tessera wherever a person says it is. */
import { throwIfAborted } from "@tesseras/core";
import type { TesseraSource } from "@tesseras/tessera";
import { diskError } from "./disk_error.ts";
import { directorySource } from "./folder_source.ts";
import { quoted } from "./quoted.ts";
import { tarSource } from "./tar_file.ts";

/**
 * The tessera at a path: an exported folder, a folder with one such in it, or a tar. Dispose it.
 *
 * @throws as {@link directorySource} and {@link tarSource}
 */
export async function openTessera(
  path: string,
  signal: AbortSignal,
): Promise<TesseraSource & AsyncDisposable> {
  throwIfAborted(signal);
  if (!await isFolder(path)) return await tarSource(path, signal);
  const { list, read } = await directorySource(path, signal);
  return { list, read, [Symbol.asyncDispose]: () => Promise.resolve() };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    throw diskError(error, `Cannot read a tessera from ${quoted(path)}`);
  }
}
