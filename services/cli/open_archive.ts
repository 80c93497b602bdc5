/** The archive of a data directory, for as long as one command needs it. */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Archive } from "@tesseras/archive";
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { type Runtime, TesserasError } from "@tesseras/core";
import { nativeMlDsa } from "@tesseras/crypto/native";
import {
  databaseInServer,
  type DataPaths,
  inServer,
  makePrivateFolder,
} from "@tesseras/run";
import { largeInThreads } from "@tesseras/erasure/pool";
import type { State } from "@tesseras/state";
import { openLibsqlState } from "@tesseras/state/libsql";

/** Threads that code a large pack: each holds a row of up to 18 MiB beside the two that are read and written. */
const THREADS_MAX = 2;

/** An open archive and the state below it. Dispose it. */
export type OpenedArchive = AsyncDisposable & {
  readonly archive: Archive;
  readonly state: State;
};

/** Whether there is a database in a data directory. @throws `unusable` when it lies in a server, where only the node works with it */
export async function hasArchive(paths: DataPaths): Promise<boolean> {
  await refuseServer(paths);
  try {
    return (await Deno.stat(paths.database)).isFile;
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (absent) return false;
    throw error;
  }
}

/** Opens the archive that is there. @throws `missing` when there is none */
export async function openArchive(
  paths: DataPaths,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<OpenedArchive> {
  if (await hasArchive(paths)) return await makeArchive(paths, runtime, signal);
  throw new TesserasError(
    "missing",
    `Cannot find any tessera: there is no archive in ${paths.dataDir}; make one with "tes init", or choose another with --data-dir`,
  );
}

/** Opens the archive, and makes it when there is none. @throws `unusable` when the disk refuses */
export async function makeArchive(
  paths: DataPaths,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<OpenedArchive> {
  await refuseServer(paths);
  await makePrivateFolder(paths.dataDir);
  await makePrivateFolder(paths.blobs);
  await makePrivateFolder(dirname(paths.database));
  await using stack = new AsyncDisposableStack();
  const blobs = stack.use(await openDiskBlobs(paths.blobs, signal));
  const state = stack.use(
    await openLibsqlState(
      { url: pathToFileURL(paths.database).href, worker: false },
      signal,
    ),
  );
  const suite = await nativeMlDsa();
  const threadCount = Math.min(THREADS_MAX, navigator.hardwareConcurrency);
  const coder = largeInThreads({ threadCount });
  const opened = stack.move();
  return {
    archive: new Archive({ state, blobs, suite, runtime, coder }),
    state,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A file made beside it would be another state, of which the node knows nothing. */
async function refuseServer(paths: DataPaths): Promise<void> {
  if (await databaseInServer(paths) === undefined) return;
  throw inServer("open the archive", paths);
}
