/**
 * Temporary files of one process among several that share a folder. Each has a
 * folder of its own below `tmp/`, locked as long as it lives: the lock goes with
 * the process, however it dies, so whoever can take it may clear the folder.
 */
import { throwIfAborted } from "@tesseras/core";
import { join } from "node:path";
import { attempt, errnoOf, ifPresent } from "./disk_error.ts";

const LOCK_FILE = "lock";

/** A locked folder for temporary files. Disposing it removes the folder with all that is in it. */
export class DiskSession implements AsyncDisposable {
  readonly #folder: string;
  readonly #lock: Deno.FsFile;
  #fileCount = 0;

  private constructor(folder: string, lock: Deno.FsFile) {
    this.#folder = folder;
    this.#lock = lock;
  }

  /** Starts a session below a folder of sessions, which is made when missing. */
  static async open(
    sessions: string,
    signal: AbortSignal,
  ): Promise<DiskSession> {
    return await attempt(`start temporary files in ${sessions}`, async () => {
      for (;;) {
        throwIfAborted(signal);
        const folder = join(sessions, crypto.randomUUID());
        await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
        const lock = await lockOf(folder, { create: true });
        if (lock === undefined) continue;
        // Somebody may have cleared the folder between its making and its locking.
        if (await isPresent(join(folder, LOCK_FILE))) {
          return new DiskSession(folder, lock);
        }
        lock.close();
      }
    });
  }

  /** A path for a new temporary file. */
  nextPath(): string {
    return join(this.#folder, String(this.#fileCount++));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(this.#folder);
    this.#lock.close();
  }
}

/** Removes the sessions of processes that are no more. */
export async function clearSessions(
  sessions: string,
  signal: AbortSignal,
): Promise<void> {
  const what = `clear temporary files in ${sessions}`;
  await attempt(what, async () => {
    for (const folder of await foldersIn(sessions)) {
      throwIfAborted(signal);
      const lock = await lockOf(folder, { create: false });
      if (lock === undefined) {
        await removeEmpty(folder);
        continue;
      }
      await remove(folder);
      lock.close();
    }
  });
}

/** The locked lock file of a session; `undefined` when another holds it or the session is gone. */
async function lockOf(
  folder: string,
  options: { readonly create: boolean },
): Promise<Deno.FsFile | undefined> {
  const file = await ifPresent(
    `lock ${folder}`,
    () =>
      Deno.open(join(folder, LOCK_FILE), {
        read: true,
        write: true,
        create: options.create,
        mode: 0o600,
      }),
  );
  if (file === undefined) return undefined;
  try {
    if (await file.tryLock(true)) return file;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  const entries = await ifPresent(
    `list ${folder}`,
    () => Array.fromAsync(Deno.readDir(folder)),
  );
  return (entries ?? []).filter((entry) => entry.isDirectory)
    .map((entry) => join(folder, entry.name));
}

async function isPresent(path: string): Promise<boolean> {
  return await ifPresent(`look at ${path}`, () => Deno.lstat(path)) !==
    undefined;
}

async function remove(folder: string): Promise<void> {
  await ifPresent(
    `remove ${folder}`,
    () => Deno.remove(folder, { recursive: true }),
  );
}

/** Removes what a process left that died before it locked; one that is about to lock makes itself another. */
async function removeEmpty(folder: string): Promise<void> {
  await ifPresent(`remove ${folder}`, async () => {
    try {
      await Deno.remove(folder);
    } catch (error) {
      if (errnoOf(error) !== "ENOTEMPTY") throw error;
    }
  });
}
