/** One open file read and written at offsets, from any number of calls at once. */
import { type FileHandle, open } from "node:fs/promises";
import { attempt } from "./disk_error.ts";

/** An open file and the place it takes among those that may be open. Disposing it closes both. */
export class DiskFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #place: Disposable;
  #closed: Promise<void> | undefined;

  private constructor(path: string, handle: FileHandle, place: Disposable) {
    this.path = path;
    this.#handle = handle;
    this.#place = place;
  }

  /** Opens a file that is there, for reading. The place is released when that fails. */
  static read(path: string, place: Disposable): Promise<DiskFile> {
    return DiskFile.#open(path, "r", place);
  }

  /** Makes a file that must not be there yet, for reading and writing, with mode 0600. */
  static create(path: string, place: Disposable): Promise<DiskFile> {
    return DiskFile.#open(path, "wx+", place);
  }

  static async #open(
    path: string,
    flags: string,
    place: Disposable,
  ): Promise<DiskFile> {
    try {
      return new DiskFile(path, await open(path, flags, 0o600), place);
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  }

  /** Bytes of the file as the file system tells. */
  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Sets the length; what is new reads as zeros and takes no space. */
  async resize(bytes: number): Promise<void> {
    await attempt(`size ${this.path}`, () => this.#handle.truncate(bytes));
  }

  /** Fills as much of `into` as there is from the offset on; returns the bytes read. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    await attempt(`read ${this.path}`, async () => {
      while (filled < into.length) {
        const { bytesRead } = await this.#handle.read(
          into,
          filled,
          into.length - filled,
          offset + filled,
        );
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    });
    return filled;
  }

  /** Writes the whole chunk at the offset. */
  async write(offset: number, chunk: Uint8Array): Promise<void> {
    await attempt(`write ${this.path}`, async () => {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await this.#handle.write(
          chunk,
          done,
          chunk.length - done,
          offset + done,
        );
        done += bytesWritten;
      }
    });
  }

  /** Resolves when what was written is durable. */
  async sync(): Promise<void> {
    await attempt(`sync ${this.path}`, () => this.#handle.sync());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.#handle.close();
    } finally {
      this.#place[Symbol.dispose]();
    }
  }
}
