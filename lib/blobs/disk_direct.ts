/**
 * Reading and writing past the system's cache (open(2), O_DIRECT), for bytes that nobody reads again soon: a fragment kept for
 * a stranger, a pack that is put together once. They push nothing else out of memory, and cost a tenth of the processor time
 * (measured). What the platform or file system cannot do so is done the common way.
 */
import { assert, Semaphore } from "@tesseras/core";
import { KIB } from "@tesseras/core/limits";
import { closeSync, constants, open, read, write } from "node:fs";
import { promisify } from "node:util";
import { BLOCK_BYTES } from "./blobs.ts";
import { errnoOf } from "./disk_error.ts";

/** What offset, length and memory of a direct transfer are multiples of: the largest block of common disks. */
const ALIGN_BYTES = BLOCK_BYTES;
/** The least that goes past the cache: for less, the cache is faster. */
export const DIRECT_BYTES_MIN = 128 * KIB;
/** Bytes handed to the system at once. */
const DIRECT_PIECE_BYTES = 512 * KIB;
/** Pieces under way at once, in all files: 8 MiB, which a process keeps once it has used them. */
const PIECES_MAX = 16;

const openFile = promisify(open);

/** One more handle on a file, which passes the cache by. Its owner waits for calls under way before it disposes it. */
export class DirectHandle implements Disposable {
  readonly #fd: number;
  #refuses = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens a file that is there; `undefined` where that cannot be done past the cache. */
  static async open(
    path: string,
    mode: "read" | "write",
  ): Promise<DirectHandle | undefined> {
    // POSIX has no such flag, so a platform may be without one.
    if (!constants.O_DIRECT) return undefined;
    const access = mode === "read" ? constants.O_RDONLY : constants.O_RDWR;
    try {
      return new DirectHandle(
        Number(await openFile(path, access | constants.O_DIRECT)),
      );
    } catch {
      // Not every file system has it, and the file may have another name by now: the common way goes on.
      return undefined;
    }
  }

  /** Writes as much of the beginning of a chunk as can be; returns how much that was, 0 for a chunk that is small or ill placed. */
  async write(offset: number, chunk: Uint8Array): Promise<number> {
    const whole = chunk.length - chunk.length % ALIGN_BYTES;
    if (offset % ALIGN_BYTES !== 0) return 0;
    return await this.#transfer(whole, async (buffer, done) => {
      const piece = buffer.subarray(0, whole - done);
      piece.set(chunk.subarray(done, done + piece.length));
      const count = await written(this.#fd, piece, offset + done);
      return { count, isShort: count < piece.length };
    });
  }

  /** Fills as much of the beginning of `into` as can be; returns how much that was, 0 for a small range and at the end of the file. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    return await this.#transfer(into.length, async (buffer, done) => {
      const at = offset + done;
      // From the block it begins in to the block it ends in.
      const skip = at % ALIGN_BYTES;
      const left = into.length - done;
      const blocks = Math.ceil((skip + left) / ALIGN_BYTES) * ALIGN_BYTES;
      const piece = buffer.subarray(0, blocks);
      const seen = await filled(this.#fd, piece, at - skip);
      const count = Math.max(0, Math.min(left, seen - skip));
      into.set(piece.subarray(skip, skip + count), done);
      return { count, isShort: seen < piece.length };
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** Moves so many bytes, piece by piece, until one comes up short. */
  async #transfer(
    bytes: number,
    move: (
      buffer: Uint8Array,
      done: number,
    ) => Promise<{ readonly count: number; readonly isShort: boolean }>,
  ): Promise<number> {
    if (this.#refuses || bytes < DIRECT_BYTES_MIN) return 0;
    using piece = await PIECES.borrow();
    let done = 0;
    try {
      while (done < bytes) {
        const { count, isShort } = await move(piece.bytes, done);
        done += count;
        if (isShort) break;
      }
    } catch (error) {
      // Some file systems open such a handle and refuse to use it.
      if (errnoOf(error) !== "EINVAL") throw error;
      this.#refuses = true;
    }
    return done;
  }
}

function written(fd: number, piece: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, piece, 0, piece.length, at, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

function filled(fd: number, piece: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, piece, 0, piece.length, at, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

/** Memory whose address is a multiple of {@link ALIGN_BYTES}, which a script gets from WebAssembly alone. Made when first used. */
class AlignedPieces {
  readonly #free: Uint8Array[] = [];
  readonly #places = new Semaphore(PIECES_MAX);
  readonly #never = new AbortController().signal;
  #memory: WebAssembly.Memory | undefined;

  /** A piece of {@link DIRECT_PIECE_BYTES}; waits while all are lent out. Its owner disposes it. */
  async borrow(): Promise<Disposable & { readonly bytes: Uint8Array }> {
    const place = await this.#places.enter(this.#never);
    if (this.#memory === undefined) this.#fill();
    const bytes = this.#free.pop();
    assert(bytes !== undefined, "there is a piece for every place");
    return {
      bytes,
      [Symbol.dispose]: () => {
        this.#free.push(bytes);
        place[Symbol.dispose]();
      },
    };
  }

  #fill(): void {
    const pages = PIECES_MAX * DIRECT_PIECE_BYTES / (64 * KIB);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    // The first lent is the last put: few pieces in use touch little memory.
    for (let i = PIECES_MAX - 1; i >= 0; i--) {
      this.#free.push(
        new Uint8Array(
          this.#memory.buffer,
          i * DIRECT_PIECE_BYTES,
          DIRECT_PIECE_BYTES,
        ),
      );
    }
  }
}

const PIECES = new AlignedPieces();
