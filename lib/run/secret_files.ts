/** Files that hold secrets: 0600 from their first byte, whole or absent. */
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf, TesserasError, toHex } from "@tesseras/core";
import { systemClock, systemRandom } from "@tesseras/core/system";

/** A temporary file that nobody has touched for so long belongs to a process that died. */
const LEFTOVER_MS = 60_000;

/**
 * Makes a folder that only its owner may enter; an existing one is tightened.
 *
 * @throws `unusable` when it cannot be made or tightened, or when it is one that everybody shares
 */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    const { mode } = await Deno.stat(path);
    if (mode === null || (mode & 0o077) === 0) return;
    // Closing /tmp or / to everybody else would break the machine.
    if ((mode & 0o1000) !== 0 || dirname(path) === path) {
      throw new TesserasError(
        "unusable",
        `Cannot use ${path}: everybody shares it; choose a folder inside it`,
      );
    }
    await Deno.chmod(path, 0o700);
  } catch (cause) {
    throw unusable(`use the folder ${path}`, cause);
  }
}

/** Writes a new secret. @throws `unusable` when the file exists: a key is never overwritten */
export async function writeNewSecret(
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = `${path}.${toHex(systemRandom.bytes(6))}.tmp`;
  try {
    await writeSynced(temporary, bytes);
    // A link fails where a rename would replace: two who make a key at once do not overwrite each other's.
    await Deno.link(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new TesserasError("unusable", `Cannot write ${path}: it exists`, {
        cause,
      });
    }
    throw unusable(`write ${path}`, cause);
  } finally {
    await removeIfThere(temporary);
  }
}

/** Reads a secret, `undefined` when there is none. @throws `unusable` when it is too large or cannot be read */
export async function readSecret(
  path: string,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  try {
    const { size, mode, isFile } = await Deno.stat(path);
    if (!isFile) {
      throw new TesserasError(
        "unusable",
        `Cannot read ${path}: it is no file, a key is one`,
      );
    }
    if (size > bytesMax) {
      throw new TesserasError(
        "unusable",
        `Cannot read ${path}: ${size} bytes, a key has at most ${bytesMax}`,
      );
    }
    if (mode !== null && (mode & 0o077) !== 0) await Deno.chmod(path, 0o600);
    return await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw unusable(`read ${path}`, cause);
  }
}

/**
 * Removes what a process left that died while it wrote this secret. Such a file may be a second name of the secret itself,
 * which would outlive a key that somebody removes.
 */
export async function clearLeftovers(
  path: string,
  olderThanMs = LEFTOVER_MS,
): Promise<void> {
  const folder = dirname(path);
  const name = basename(path);
  try {
    for await (const entry of Deno.readDir(folder)) {
      const isOurs = entry.name.startsWith(`${name}.`) &&
        /^\.[0-9a-f]{12}\.tmp$/.test(entry.name.slice(name.length));
      if (!isOurs) continue;
      const leftover = join(folder, entry.name);
      const { ctime } = await Deno.lstat(leftover);
      // The change time cannot be set by hand, so a copy with an old date is not taken for old.
      const ageMs = systemClock.nowMs() - (ctime?.getTime() ?? 0);
      if (ageMs > olderThanMs) await removeIfThere(leftover);
    }
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return;
    throw unusable(`look through ${folder}`, cause);
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What the platform says about a file, as a sentence of ours. */
function unusable(doing: string, cause: unknown): TesserasError {
  if (codeOf(cause) !== undefined) return cause as TesserasError;
  const said = messageOf(cause).split("\n")[0]!.slice(0, 300);
  const code = /no space left|quota exceeded/i.test(said)
    ? "diskFull"
    : "unusable";
  return new TesserasError(code, `Cannot ${doing}: ${said}`, { cause });
}
