/** A tessera in a tar that can be read at any place. */
import { TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import {
  type ByteSource,
  checkHeader,
  foretellPack,
  indexTar,
  type TarEntry,
  type TesseraSource,
} from "@tesseras/tessera";
import { readExactly } from "./fragment_reader.ts";
import { quoted } from "./quoted.ts";

/** Bytes read at once. */
const CHUNK_BYTES = 1 * MIB;

/**
 * The files of a pack, or of a tar that somebody made of an export. Keeps the reader, which must outlive it.
 *
 * @throws `malformed` when the bytes are no tar that can hold a tessera
 */
export async function packSource(
  pack: ByteSource,
  signal: AbortSignal,
): Promise<TesseraSource> {
  return sourceOf(
    await indexTar(pack, signal),
    (entry, signal) => readRange(pack, entry, signal),
  );
}

/**
 * The files of a pack whose reads wait for what is still to come. Only packs as FORMAT.md has them can be read so. Keeps the
 * reader, which must outlive it.
 *
 * @throws `malformed` when its beginning is not that of such a pack, also later from reads that find it otherwise
 */
export async function arrivingSource(
  pack: ByteSource,
  signal: AbortSignal,
): Promise<TesseraSource> {
  const entries = await foretellPack(pack, signal);
  return sourceOf(entries, async function* (entry, signal) {
    await checkHeader(pack, entry, signal);
    yield* readRange(pack, entry, signal);
  });
}

function sourceOf(
  list: readonly TarEntry[],
  read: (entry: TarEntry, signal: AbortSignal) => AsyncIterable<Uint8Array>,
): TesseraSource {
  const entries = new Map(list.map((entry) => [entry.path, entry]));
  return {
    list: () =>
      Promise.resolve(
        [...entries.values()].map(({ path, bytes }) => ({ path, bytes })),
      ),
    read: (path, signal) => {
      const entry = entries.get(path);
      if (entry === undefined) {
        throw new TesserasError(
          "missing",
          `Cannot read ${quoted(path)}: the pack has no such file`,
        );
      }
      return read(entry, signal);
    },
  };
}

async function* readRange(
  pack: ByteSource,
  { offset, bytes }: { readonly offset: number; readonly bytes: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, bytes));
  for (let at = 0; at < bytes; at += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, bytes - at));
    await readExactly(pack, offset + at, chunk, signal);
    yield chunk;
  }
}
