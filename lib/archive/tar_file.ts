/** A tessera in a tar file on disk. */
import { TesserasError, throwIfAborted } from "@tesseras/core";
import type { ByteSource, TesseraSource } from "@tesseras/tessera";
import { diskError } from "./disk_error.ts";
import { packSource } from "./pack_source.ts";
import { quoted } from "./quoted.ts";

/**
 * The tessera in a tar file: our pack, or a tar that somebody made of an exported folder. Dispose it to close the file.
 *
 * @throws `missing`, `unusable` when the file cannot be read, `malformed` when it is no tar that holds a tessera
 */
export async function tarSource(
  path: string,
  signal: AbortSignal,
): Promise<TesseraSource & AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack();
  const file = cleanup.use(await TarFile.open(path, signal));
  const source = await packSource(file, signal);
  const opened = cleanup.move();
  return {
    list: source.list,
    read: source.read,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Random access to a file: one position, so one reader at a time. */
class TarFile implements ByteSource, AsyncDisposable {
  readonly #file: Deno.FsFile;
  readonly #tried: string;
  #turn: Promise<unknown> = Promise.resolve();
  readonly bytes: number;

  private constructor(file: Deno.FsFile, bytes: number, tried: string) {
    this.#file = file;
    this.#tried = tried;
    this.bytes = bytes;
  }

  static async open(path: string, signal: AbortSignal): Promise<TarFile> {
    const tried = `Cannot read a tessera from ${quoted(path)}`;
    throwIfAborted(signal);
    try {
      // Asked before opening, which would wait at a named pipe for ever.
      const { isFile } = await Deno.stat(path);
      if (!isFile) throw notAFile(tried);
      await using cleanup = new AsyncDisposableStack();
      const file = cleanup.use(await Deno.open(path));
      const opened = new TarFile(file, (await file.stat()).size, tried);
      cleanup.move();
      return opened;
    } catch (error) {
      throw diskError(error, tried);
    }
  }

  read(
    offset: number,
    into: Uint8Array,
    signal: AbortSignal,
  ): Promise<number> {
    const reading = this.#turn.then(async () => {
      throwIfAborted(signal);
      try {
        await this.#file.seek(offset, Deno.SeekMode.Start);
        return await this.#file.read(into) ?? 0;
      } catch (error) {
        throw diskError(error, this.#tried);
      }
    });
    // The next in line does not care how this one ended; whoever asked does.
    this.#turn = reading.catch(() => undefined);
    return reading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}

function notAFile(tried: string): TesserasError {
  return new TesserasError("unusable", `${tried}: it is not a file`);
}
