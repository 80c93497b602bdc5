/** The `user_version` of an SQLite file, read without SQLite: opening a database brings it up to date, and a check must not. */

/** Of a database file (sqlite.org/fileformat.html, 1.3). */
const MAGIC = "SQLite format 3\0";
const HEAD_BYTES = 100;
const USER_VERSION_AT = 60;
/** Of its log and of each frame in it (the same page, 4.1). */
const LOG_HEAD_BYTES = 32;
const FRAME_HEAD_BYTES = 24;
/** Frames looked at; SQLite begins again long before, unless somebody reads all the time. */
const FRAMES_MAX = 1_000_000;

/**
 * The version as the next who opens it will see it: the first page of the file, or a later one that waits in the log.
 *
 * @returns `undefined` when the file is no database; 0 for an empty one
 */
export async function userVersionOf(path: string): Promise<number | undefined> {
  using file = await Deno.open(path);
  const head = await readAt(file, 0, HEAD_BYTES);
  if (head === undefined) return (await file.stat()).size === 0 ? 0 : undefined;
  const magic = new TextDecoder().decode(head.subarray(0, MAGIC.length));
  if (magic !== MAGIC) return undefined;
  return await loggedVersionOf(`${path}-wal`) ?? u32At(head, USER_VERSION_AT);
}

/** The version in the newest first page of the log that was committed; `undefined` when there is none. */
async function loggedVersionOf(path: string): Promise<number | undefined> {
  using log = await openIfThere(path);
  const head = log && await readAt(log, 0, LOG_HEAD_BYTES);
  if (log === undefined || head === undefined) return undefined;
  const frameBytes = FRAME_HEAD_BYTES + u32At(head, 8);
  let seen: number | undefined;
  let committed: number | undefined;
  for (let count = 0; count < FRAMES_MAX; count++) {
    const at = LOG_HEAD_BYTES + count * frameBytes;
    const frame = await readAt(log, at, FRAME_HEAD_BYTES + HEAD_BYTES);
    // Beyond the last frame lie those of an earlier round, with other salts.
    const isOfThisRound = frame !== undefined &&
      u32At(frame, 8) === u32At(head, 16) &&
      u32At(frame, 12) === u32At(head, 20);
    if (!isOfThisRound) break;
    if (u32At(frame, 0) === 1) {
      seen = u32At(frame, FRAME_HEAD_BYTES + USER_VERSION_AT);
    }
    if (u32At(frame, 4) !== 0) committed = seen;
  }
  return committed;
}

async function openIfThere(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** So many bytes, `undefined` when the file has fewer there. */
async function readAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array | undefined> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return bytes;
}

function u32At(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset);
}
