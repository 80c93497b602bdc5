/**
 * Blobs on disk: `<folder>/ab/<64 hex>`, each whole or absent. What is written
 * is temporary until it is hashed, synced and renamed. Several processes may
 * share a folder.
 */
import {
  assert,
  type Hash,
  keyOf,
  orAbort,
  parseHash,
  Semaphore,
  throwIfAborted,
} from "@tesseras/core";
import { Blake3 } from "@tesseras/crypto";
import { rename, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type Access,
  assertRange,
  type BlobEntry,
  type BlobReader,
  type Blobs,
  type BlobWriter,
  checkExpected,
  type Scratch,
} from "./blobs.ts";
import { attempt, ifPresent } from "./disk_error.ts";
import { DiskFile } from "./disk_file.ts";
import { clearSessions, DiskSession } from "./disk_session.ts";
import { AsideFolders } from "./disk_aside.ts";
import { FolderSync } from "./disk_folder_sync.ts";
import { Leaving } from "./leaving.ts";
import { WriteBehind } from "./write_behind.ts";

/**
 * Files open at once; more wait for one to close. With two handles on a cold
 * one, three quarters of the 1,024 that systems commonly allow a process,
 * whose sockets need some too.
 */
const FILES_OPEN_MAX = 384;

/**
 * Opens blobs on disk; makes the folder (0700) when missing, and clears what
 * crashed processes left unfinished. Dispose what it returns.
 *
 * @throws `unusable` when the folder cannot be used
 */
export async function openDiskBlobs(
  folder: string,
  signal: AbortSignal,
): Promise<Blobs> {
  throwIfAborted(signal);
  await attempt(
    `make ${folder}`,
    () => Deno.mkdir(folder, { recursive: true, mode: 0o700 }),
  );
  await clearSessions(sessionsOf(folder), signal);
  const blobs = new DiskBlobs(folder);
  await blobs.restoreLeaving(signal);
  return blobs;
}

class DiskBlobs implements Blobs {
  readonly #folder: string;
  readonly #files = new Semaphore(FILES_OPEN_MAX);
  readonly #names = new FolderSync();
  readonly #aside: AsideFolders;
  readonly #leaving = new Leaving();
  /** Folders whose own name is durable: this one and its shards, at most 257. */
  readonly #durable = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #session: Promise<DiskSession> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#aside = new AsideFolders(folder);
  }

  async create(
    signal: AbortSignal,
    access: Access = "hot",
  ): Promise<BlobWriter> {
    const file = await this.#createTemporary(signal, access);
    return new DiskWriter(file, (hash) => this.#publish(file, hash));
  }

  async open(
    hash: Hash,
    signal: AbortSignal,
    access: Access = "hot",
  ): Promise<BlobReader | undefined> {
    await this.#leaving.settled(hash);
    const place = await this.#files.enter(signal);
    const path = this.#pathOf(hash);
    const file = await ifPresent(
      `open ${path}`,
      () => DiskFile.read(path, place, access),
    );
    if (file === undefined) return undefined;
    try {
      const bytes = await attempt(`open ${path}`, () => file.size());
      return new DiskReader(hash, bytes, file);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  async size(hash: Hash, signal: AbortSignal): Promise<number | undefined> {
    throwIfAborted(signal);
    await this.#leaving.settled(hash);
    const path = this.#pathOf(hash);
    return (await ifPresent(`look at ${path}`, () => Deno.stat(path)))?.size;
  }

  async remove(hash: Hash, signal: AbortSignal): Promise<boolean> {
    throwIfAborted(signal);
    const path = this.#pathOf(hash);
    const removed = await ifPresent(`remove ${path}`, async () => {
      await Deno.remove(path);
      return true;
    });
    return removed ?? false;
  }

  async removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    throwIfAborted(signal);
    return await this.#leaving.take(
      hash,
      () => this.#aside.removeUnless(this.#pathOf(hash), isNeeded),
    );
  }

  async quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    throwIfAborted(signal);
    return await this.#aside.quarantine(this.#pathOf(hash), note);
  }

  /** Puts back what killed processes were about to remove. */
  async restoreLeaving(signal: AbortSignal): Promise<void> {
    await this.#aside.restore((hex) => this.#pathOf(parseHash(hex)), signal);
  }

  async *list(signal: AbortSignal): AsyncIterable<BlobEntry> {
    for (let shard = 0; shard < 256; shard++) {
      const folder = join(this.#folder, shard.toString(16).padStart(2, "0"));
      const names = await ifPresent(
        `list ${folder}`,
        () => Array.fromAsync(Deno.readDir(folder), (entry) => entry.name),
      );
      for (const name of names ?? []) {
        throwIfAborted(signal);
        if (!/^[0-9a-f]{64}$/.test(name)) continue;
        const hash = parseHash(name);
        const bytes = await this.size(hash, signal);
        if (bytes !== undefined) yield { hash, bytes };
      }
    }
  }

  async scratch(bytes: number, signal: AbortSignal): Promise<Scratch> {
    const file = await this.#createTemporary(signal, "cold");
    try {
      await file.resize(bytes);
    } catch (error) {
      await discard(file);
      throw error;
    }
    return new DiskScratch(bytes, file);
  }

  async freeBytes(signal: AbortSignal): Promise<number> {
    throwIfAborted(signal);
    return await attempt(`measure ${this.#folder}`, async () => {
      const { bavail, bsize } = await statfs(this.#folder);
      return bavail * bsize;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const session = this.#session;
    this.#session = undefined;
    await (await session)?.[Symbol.asyncDispose]();
  }

  async #createTemporary(
    signal: AbortSignal,
    access: Access,
  ): Promise<DiskFile> {
    const session = await orAbort(this.#openSession(), signal);
    const place = await this.#files.enter(signal);
    const path = session.nextPath();
    return await attempt(
      `create ${path}`,
      () => DiskFile.create(path, place, access),
    );
  }

  /** Begun with the first temporary file: who only reads needs none. Callers share it, so none of them may cancel it. */
  #openSession(): Promise<DiskSession> {
    this.#session ??= DiskSession.open(
      sessionsOf(this.#folder),
      this.#closing.signal,
    ).catch((error) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  /** Gives a synced temporary file its name, for ever. */
  async #publish(file: DiskFile, hash: Hash): Promise<void> {
    const path = this.#pathOf(hash);
    const shard = dirname(path);
    await Promise.all([
      this.#makeFolder(this.#folder),
      this.#makeFolder(shard),
    ]);
    await attempt(`keep ${path}`, () => rename(file.path, path));
    await this.#names.sync(shard);
  }

  /**
   * Makes a folder and its name durable once in this process: one that is there
   * may have been made by a process that died before it synced.
   */
  #makeFolder(folder: string): Promise<void> {
    const known = this.#durable.get(folder);
    if (known !== undefined) return known;
    const made = attempt(`make ${folder}`, async () => {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      await this.#names.sync(dirname(folder));
    });
    this.#durable.set(folder, made);
    made.catch(() => this.#durable.delete(folder));
    return made;
  }

  #pathOf(hash: Hash): string {
    const name = keyOf(hash);
    return join(this.#folder, name.slice(0, 2), name);
  }
}

class DiskWriter implements BlobWriter {
  readonly #file: DiskFile;
  readonly #publish: (hash: Hash) => Promise<void>;
  readonly #hasher = new Blake3();
  readonly #behind: WriteBehind;
  #writtenBytes = 0;
  #bytes = 0;
  #state: "open" | "committing" | "committed" | "failed" = "open";

  constructor(file: DiskFile, publish: (hash: Hash) => Promise<void>) {
    this.#file = file;
    this.#publish = publish;
    this.#behind = new WriteBehind(async (piece) => {
      const at = this.#writtenBytes;
      this.#writtenBytes += piece.length;
      await this.#file.write(at, piece);
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    assert(this.#state === "open", "a blob is written before it is committed");
    this.#bytes += chunk.length;
    try {
      const writing = this.#behind.push(chunk);
      // Hashed here while another thread writes.
      this.#hasher.update(chunk);
      await writing;
    } catch (error) {
      // What the file holds is unknown now, and must not pass as what was hashed.
      this.#state = "failed";
      throw error;
    }
  }

  async commit(signal: AbortSignal, expected?: Hash): Promise<BlobEntry> {
    throwIfAborted(signal);
    assert(this.#state === "open", "a blob is committed once, and only whole");
    this.#state = "committing";
    const entry = { hash: this.#hasher.digest(), bytes: this.#bytes };
    checkExpected(entry.hash, expected);
    await this.#behind.flush();
    await this.#file.sync();
    throwIfAborted(signal);
    await this.#publish(entry.hash);
    this.#state = "committed";
    return entry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "committed") await this.#file[Symbol.asyncDispose]();
    else await discard(this.#file);
  }
}

class DiskReader implements BlobReader {
  readonly hash: Hash;
  readonly bytes: number;
  readonly #file: DiskFile;

  constructor(hash: Hash, bytes: number, file: DiskFile) {
    this.hash = hash;
    this.bytes = bytes;
    this.#file = file;
  }

  async read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    throwIfAborted(signal);
    return await this.#file.read(offset, into);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}

class DiskScratch implements Scratch {
  readonly bytes: number;
  readonly #file: DiskFile;

  constructor(bytes: number, file: DiskFile) {
    this.bytes = bytes;
    this.#file = file;
  }

  async write(
    offset: number,
    chunk: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    assertRange(offset, chunk.length, this.bytes);
    await this.#file.write(offset, chunk);
  }

  async read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    throwIfAborted(signal);
    return await this.#file.read(offset, into);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await discard(this.#file);
  }
}

/** Closes a temporary file and takes its space back. */
async function discard(file: DiskFile): Promise<void> {
  await file[Symbol.asyncDispose]();
  await ifPresent(`remove ${file.path}`, () => Deno.remove(file.path));
}

function sessionsOf(folder: string): string {
  return join(folder, "tmp");
}
