/** A state and blobs whose every operation is one of a {@link Life}. */
import type {
  Access,
  BlobEntry,
  BlobReader,
  Blobs,
  BlobWriter,
  Scratch,
} from "@tesseras/blobs";
import type { Hash } from "@tesseras/core";
import type { State } from "@tesseras/state";
import { type Life, type Operation, uncancelled } from "./life.ts";

/** How the methods that change something begin. A test holds the rest to change nothing. */
const WRITES = /^(?:add|put|remove|keep|mark|expire|forget|strikeOut)/;

/** Whether a method of a state changes something, as its name says. */
export function changesSomething(name: string): boolean {
  return WRITES.test(name);
}

/** A state as a process uses it: its writes are committed in groups. */
export function faultyState(state: State, life: Life): State {
  return wrapped(state, "", life);
}

function wrapped<T extends object>(of: T, path: string, life: Life): T {
  return new Proxy(of, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "care") return wrapped(value as object, "care.", life);
      if (typeof value !== "function" || typeof name !== "string") return value;
      const writes = changesSomething(name);
      const operation: Operation = {
        name: `state.${path}${name}`,
        of: "state",
        writes,
      };
      return (...args: unknown[]): Promise<unknown> => {
        const signal = args.at(-1) as AbortSignal;
        const apply = (given: AbortSignal): Promise<unknown> =>
          Reflect.apply(value, target, [...args.slice(0, -1), given]);
        return life.operate(
          operation,
          () =>
            writes
              ? life.commit(() => apply(uncancelled), signal)
              : apply(signal),
        );
      };
    },
  });
}

/** Blobs as a process uses them: a blob gets and loses its name as a whole, some time after it was asked for. */
export class FaultyBlobs implements Blobs {
  readonly #blobs: Blobs;
  readonly #life: Life;

  constructor(blobs: Blobs, life: Life) {
    this.#blobs = blobs;
    this.#life = life;
  }

  async create(signal: AbortSignal, access?: Access): Promise<BlobWriter> {
    const writer = await this.#write(
      "create",
      () => this.#blobs.create(signal, access),
    );
    return new FaultyWriter(writer, this.#life);
  }

  async open(
    hash: Hash,
    signal: AbortSignal,
    access?: Access,
  ): Promise<BlobReader | undefined> {
    const reader = await this.#read(
      "open",
      () => this.#blobs.open(hash, signal, access),
      hash,
    );
    return reader && {
      hash: reader.hash,
      bytes: reader.bytes,
      read: readOf(reader, this.#life, hash),
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    };
  }

  size(hash: Hash, signal: AbortSignal): Promise<number | undefined> {
    return this.#read("size", () => this.#blobs.size(hash, signal), hash);
  }

  remove(hash: Hash, signal: AbortSignal): Promise<boolean> {
    return this.#write(
      "remove",
      () => this.#life.durably(() => this.#blobs.remove(hash, signal)),
    );
  }

  /** What is aside when the process dies goes back, as the next start of a disk puts it back. */
  removeUnless(
    hash: Hash,
    isNeeded: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    // Taking aside and removing take their time, in which others come and go.
    const slowly = async (): Promise<boolean> => {
      await this.#life.pause();
      const needed = await isNeeded();
      await this.#life.pause();
      return needed;
    };
    return this.#write(
      "removeUnless",
      () => this.#blobs.removeUnless(hash, slowly, signal),
    );
  }

  quarantine(
    hash: Hash,
    note: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    return this.#write(
      "quarantine",
      () => this.#blobs.quarantine(hash, note, signal),
    );
  }

  async *list(signal: AbortSignal): AsyncIterable<BlobEntry> {
    for await (const entry of this.#blobs.list(signal)) {
      yield await this.#read("list", () => Promise.resolve(entry));
    }
  }

  async scratch(bytes: number, signal: AbortSignal): Promise<Scratch> {
    const scratch = await this.#write(
      "scratch",
      () => this.#blobs.scratch(bytes, signal),
    );
    const life = this.#life;
    return {
      bytes: scratch.bytes,
      read: readOf(scratch, life),
      write: (offset, chunk, writeSignal) =>
        life.operate(
          changing("scratch.write"),
          () => scratch.write(offset, chunk, writeSignal),
        ),
      [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
    };
  }

  freeBytes(signal: AbortSignal): Promise<number> {
    return this.#read("freeBytes", () => this.#blobs.freeBytes(signal));
  }

  /** The disk outlives the process. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #read<T>(name: string, work: () => Promise<T>, blob?: Hash): Promise<T> {
    return this.#life.operate(reading(`blobs.${name}`, blob), work);
  }

  #write<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#life.operate(changing(`blobs.${name}`), work);
  }
}

class FaultyWriter implements BlobWriter {
  readonly #writer: BlobWriter;
  readonly #life: Life;

  constructor(writer: BlobWriter, life: Life) {
    this.#writer = writer;
    this.#life = life;
  }

  get bytes(): number {
    return this.#writer.bytes;
  }

  write(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#life.operate(
      changing("blob.write"),
      () => this.#writer.write(chunk, signal),
    );
  }

  commit(signal: AbortSignal, expected?: Hash): Promise<BlobEntry> {
    return this.#life.operate(
      changing("blob.commit"),
      () => this.#life.durably(() => this.#writer.commit(signal, expected)),
    );
  }

  /** Takes nothing back that the lot let persist: that is committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

function readOf(
  reader: Pick<BlobReader, "read">,
  life: Life,
  blob?: Hash,
): BlobReader["read"] {
  return (offset, into, signal) =>
    life.operate(
      reading("blob.read", blob),
      () => reader.read(offset, into, signal),
    );
}

function reading(name: string, blob?: Hash): Operation {
  return { name, of: "blobs", writes: false, ...(blob && { blob }) };
}

function changing(name: string): Operation {
  return { name, of: "blobs", writes: true };
}
