/** Writes a tessera as a folder that needs no software of ours. */
import {
  abortError,
  mapBounded,
  type TesseraId,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { isTesseraPath, type TesseraSource } from "@tesseras/tessera";
import { diskError } from "./disk_error.ts";
import { type OnProgress, Tally } from "./progress.ts";
import { quoted } from "./quoted.ts";

/** Files written at once: their syncs wait together. */
const WRITES_PARALLEL = 8;

/** In a folder that grows, locked by whoever writes there: the lock goes with the process, however it dies. */
const LOCK_FILE = ".lock";

/** What is exported and where to. */
export type ExportOrder = {
  readonly id: TesseraId;
  /** What gives the files; it verifies them, as `Archive.source` does. */
  readonly source: TesseraSource;
  /** The folder in which `tessera-<hash>` appears; made when absent. */
  readonly destination: string;
};

/**
 * Writes `tessera-<hash>` into a folder and returns its path. It appears whole, after a sync, or not at all: until then
 * it grows under a name beginning with a dot. What a killed export of the same tessera left there is cleared.
 *
 * @throws `inUse` when it is there already, `diskFull`, `unusable` when the folder cannot be written, and whatever the
 * source throws
 */
export async function exportTessera(
  order: ExportOrder,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<string> {
  const name = `tessera-${toHex(order.id)}`;
  const target = `${order.destination}/${name}`;
  const tried = `Cannot export to ${quoted(target)}`;
  const growing = `${order.destination}/.${name}.${crypto.randomUUID()}`;
  const lockFile = `${growing}/${LOCK_FILE}`;
  try {
    await Deno.mkdir(order.destination, { recursive: true });
    await refuseExisting(target, tried);
    await clearLeftovers(order.destination, `.${name}.`);
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => removeTree(growing));
    await Deno.mkdir(growing);
    using lock = await Deno.open(lockFile, { write: true, createNew: true });
    await takesLock(lock);
    await writeAll(order.source, growing, onProgress, signal);
    await refuseExisting(target, tried);
    if (signal.aborted) throw abortError(signal);
    await Deno.remove(lockFile);
    await Deno.rename(growing, target);
    await syncFolder(order.destination);
    return target;
  } catch (error) {
    throw diskError(error, tried);
  }
}

async function refuseExisting(target: string, tried: string): Promise<void> {
  try {
    await Deno.lstat(target);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  throw new TesserasError(
    "inUse",
    `${tried}: it exists already; remove it or choose another folder`,
  );
}

/** Removes what exports left that were killed: nobody holds the lock of those. */
async function clearLeftovers(folder: string, prefix: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory || !name.startsWith(prefix)) continue;
    const path = `${folder}/${name}`;
    try {
      using lock = await Deno.open(`${path}/${LOCK_FILE}`, { write: true });
      if (await takesLock(lock)) await removeTree(path);
    } catch {
      // Just begun or just finished by another, or not ours to remove: none of that is in the way of this export.
    }
  }
}

/** Takes the lock of a growing folder. Some network disks have no locks: nothing is cleared there. */
async function takesLock(file: Deno.FsFile): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch {
    return false;
  }
}

async function writeAll(
  source: TesseraSource,
  root: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const files = await source.list(signal);
  const stray = files.find(({ path }) => !isTesseraPath(path));
  if (stray !== undefined) {
    throw new TesserasError(
      "malformed",
      `Cannot export ${quoted(stray.path)}: no file of a tessera lies there`,
    );
  }
  const folders = foldersOf(files.map(({ path }) => path));
  for (const folder of folders) await Deno.mkdir(`${root}/${folder}`);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const tally = new Tally(totalBytes, onProgress);
  await mapBounded(files, WRITES_PARALLEL, async ({ path }, fileSignal) => {
    using file = await Deno.open(`${root}/${path}`, {
      write: true,
      createNew: true,
      mode: 0o644,
    });
    for await (const chunk of source.read(path, fileSignal)) {
      await writeFully(file, chunk);
      tally.add(chunk.length);
    }
    await file.sync();
  }, signal);
  for (const folder of folders) await syncFolder(`${root}/${folder}`);
  await syncFolder(root);
}

/** Every folder that the paths lie in, outer ones first. */
function foldersOf(paths: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    for (let count = 1; count < parts.length; count++) {
      folders.add(parts.slice(0, count).join("/"));
    }
  }
  return [...folders].sort((a, b) => a.length - b.length);
}

async function writeFully(
  file: Deno.FsFile,
  chunk: Uint8Array,
): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    at += await file.write(chunk.subarray(at));
  }
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    // Renamed to its place, or never made.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
