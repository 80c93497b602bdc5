/** One open file read and written at offsets, from any number of calls at once. Other threads do the work. */
import type { Access } from "./blobs.ts";
import { DIRECT_BYTES_MIN, DirectHandle } from "./disk_direct.ts";
import { attempt } from "./disk_error.ts";

/** What to open and how. */
type OpenOptions = {
  readonly path: string;
  readonly place: Disposable;
  readonly mode: "read" | "write";
  readonly access: Access;
};

/** An open file and the place it takes among those that may be open. Disposing it closes both. */
export class DiskFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #place: Disposable;
  readonly #mode: "read" | "write";
  readonly #access: Access;
  /** For large pieces of a cold file, from the first of them on. */
  #direct: Promise<DirectHandle | undefined> | undefined;
  /** Where the file stands, `undefined` when nobody knows. */
  #at: number | undefined = 0;
  /** Resolves when the last read or write that was asked for is over; `undefined` when none is under way. */
  #last: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(file: Deno.FsFile, options: OpenOptions) {
    this.path = options.path;
    this.#file = file;
    this.#place = options.place;
    this.#mode = options.mode;
    this.#access = options.access;
  }

  /** Opens a file that is there, for reading. The place is released when that fails. */
  static read(
    path: string,
    place: Disposable,
    access: Access,
  ): Promise<DiskFile> {
    return DiskFile.#open({ path, place, access, mode: "read" });
  }

  /** Makes a file that must not be there yet, for reading and writing, with mode 0600. */
  static create(
    path: string,
    place: Disposable,
    access: Access,
  ): Promise<DiskFile> {
    return DiskFile.#open({ path, place, access, mode: "write" });
  }

  static async #open(options: OpenOptions): Promise<DiskFile> {
    const { path, place, mode } = options;
    try {
      const file = await Deno.open(
        path,
        mode === "read"
          ? { read: true }
          : { read: true, write: true, createNew: true, mode: 0o600 },
      );
      return new DiskFile(file, options);
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  }

  /** Bytes of the file as the file system tells. */
  async size(): Promise<number> {
    return await this.#inTurn(async () => (await this.#file.stat()).size);
  }

  /** Sets the length; what is new reads as zeros and takes no space. */
  async resize(bytes: number): Promise<void> {
    await attempt(
      `size ${this.path}`,
      () => this.#inTurn(() => this.#file.truncate(bytes)),
    );
  }

  /** Fills as much of `into` as there is from the offset on; returns the bytes read. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    return await attempt(`read ${this.path}`, () =>
      this.#inTurn(async () => {
        const direct = await this.#directFor(into.length);
        let filled = await direct?.read(offset, into) ?? 0;
        while (filled < into.length) {
          this.#seek(offset + filled);
          const count = await this.#file.read(into.subarray(filled));
          if (count === null) break;
          filled += count;
          this.#at = offset + filled;
        }
        return filled;
      }));
  }

  /** Writes the whole chunk at the offset. */
  async write(offset: number, chunk: Uint8Array): Promise<void> {
    await attempt(`write ${this.path}`, () =>
      this.#inTurn(async () => {
        const direct = await this.#directFor(chunk.length);
        const begun = await direct?.write(offset, chunk) ?? 0;
        for (let done = begun; done < chunk.length;) {
          this.#seek(offset + done);
          done += await this.#file.write(chunk.subarray(done));
          this.#at = offset + done;
        }
      }));
  }

  /** Resolves when what was written is durable. */
  async sync(): Promise<void> {
    await attempt(
      `sync ${this.path}`,
      () => this.#inTurn(() => this.#file.sync()),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The platform's reads and writes go on from where the last one stopped, so each has the file to itself. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    while (this.#last !== undefined) await this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      return await work();
    } finally {
      this.#last = undefined;
      resolve();
    }
  }

  /** Where the next read or write begins. It counts as lost until that is done: one that fails leaves the file anywhere. */
  #seek(offset: number): void {
    if (this.#at !== offset) this.#file.seekSync(offset, Deno.SeekMode.Start);
    this.#at = undefined;
  }

  /** The handle for a transfer of so many bytes; `undefined` for one that goes through the cache. */
  #directFor(bytes: number): Promise<DirectHandle | undefined> | undefined {
    if (this.#access !== "cold" || bytes < DIRECT_BYTES_MIN) return undefined;
    return this.#direct ??= DirectHandle.open(this.path, this.#mode);
  }

  async #close(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
    try {
      using _direct = await this.#direct;
      this.#file.close();
    } finally {
      this.#place[Symbol.dispose]();
    }
  }
}
