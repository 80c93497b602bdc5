/** One node per data directory. */
import { messageOf, TesserasError } from "@tesseras/core";

/**
 * Takes a data directory for this process until the result is disposed or the process ends, however it ends: the system
 * holds the lock, so a crash leaves none behind and two that start in the same moment cannot both have it. The file stays;
 * removing it would let a third one lock another file of the same name.
 *
 * @throws `inUse` when another process has it; `unusable` when there can be no lock
 */
export async function lockDataDir(path: string): Promise<Disposable> {
  let file: Deno.FsFile | undefined;
  let isLocked = false;
  try {
    file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
    isLocked = await file.tryLock(true);
  } catch (cause) {
    throw new TesserasError(
      "unusable",
      `Cannot lock ${path}: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    if (!isLocked) file?.close();
  }
  if (isLocked) return file;
  throw new TesserasError("inUse", ALREADY_RUNNING);
}

/** What the second node on a data directory says. */
export const ALREADY_RUNNING =
  "Cannot start: a node is already running on this data directory; stop it, or choose another with --data-dir";
