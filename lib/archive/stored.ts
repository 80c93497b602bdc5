/** A tessera out of the store: its files by path. */
import { equal, keyOf, mapBounded, TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { type BlobReader, type Blobs, readAll } from "@tesseras/blobs";
import { Blake3, blake3 } from "@tesseras/crypto";
import type { FileRow } from "@tesseras/state";
import type { TesseraSource } from "@tesseras/tessera";
import { BLOBS_PARALLEL } from "./holds.ts";
import { quoted } from "./quoted.ts";

/** Bytes read at once. */
const CHUNK_BYTES = 1 * MIB;

/** The files of a stored tessera. Reading one to its end throws `corrupt` when its blob is gone or not what it was. */
export function checkedSource(
  blobs: Blobs,
  files: readonly FileRow[],
): TesseraSource {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return {
    list: () =>
      Promise.resolve(files.map(({ path, bytes }) => ({ path, bytes }))),
    read: (path, signal) => readChecked(blobs, fileAt(byPath, path), signal),
  };
}

/**
 * The files of a stored tessera as they are: absent blobs are not listed, and nothing is checked. For whoever
 * verifies.
 */
export async function presentSource(
  blobs: Blobs,
  files: readonly FileRow[],
  signal: AbortSignal,
): Promise<TesseraSource> {
  const sizes = await mapBounded(
    files,
    BLOBS_PARALLEL,
    ({ hash }, signal) => blobs.size(hash, signal),
    signal,
  );
  const present = files.flatMap(({ path }, at) => {
    const bytes = sizes[at];
    return bytes === undefined ? [] : [{ path, bytes }];
  });
  const byPath = new Map(files.map((file) => [file.path, file]));
  return {
    list: () => Promise.resolve(present),
    async *read(path, signal) {
      const file = fileAt(byPath, path);
      await using reader = await blobs.open(file.hash, signal, "fresh");
      if (reader === undefined) throw gone(file);
      yield* chunksOf(reader, signal);
    },
  };
}

/** Opens the blob of a file. @throws `corrupt` when it is gone */
export async function openFile(
  blobs: Blobs,
  file: FileRow,
  signal: AbortSignal,
): Promise<BlobReader> {
  const reader = await blobs.open(file.hash, signal);
  if (reader !== undefined) return reader;
  throw gone(file);
}

/** A whole small file. @throws `corrupt` when its blob is gone or not what it was */
export async function readFile(
  blobs: Blobs,
  file: FileRow,
  signal: AbortSignal,
): Promise<Uint8Array> {
  await using reader = await openFile(blobs, file, signal);
  const bytes = await readAll(reader, signal);
  const seen = blake3(bytes);
  if (equal(seen, file.hash)) return bytes;
  throw damaged(file, `its hash is ${keyOf(seen)}`);
}

async function* readChecked(
  blobs: Blobs,
  file: FileRow,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using reader = await openFile(blobs, file, signal);
  const hasher = new Blake3();
  for await (const chunk of chunksOf(reader, signal)) {
    hasher.update(chunk);
    yield chunk;
  }
  const seen = hasher.digest();
  if (!equal(seen, file.hash)) {
    throw damaged(file, `its hash is ${keyOf(seen)}`);
  }
}

/** The bytes of a blob in chunks, each borrowed until the next is asked for. */
export async function* chunksOf(
  reader: BlobReader,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(
    Math.max(1, Math.min(CHUNK_BYTES, reader.bytes)),
  );
  for (let at = 0;;) {
    const count = await reader.read(at, chunk, signal);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    at += count;
  }
}

function fileAt(byPath: ReadonlyMap<string, FileRow>, path: string): FileRow {
  const file = byPath.get(path);
  if (file !== undefined) return file;
  throw new TesserasError(
    "missing",
    `Cannot read ${quoted(path)}: the tessera has no such file`,
  );
}

function gone(file: FileRow): TesserasError {
  return damaged(file, "it is gone from the store");
}

function damaged(file: FileRow, seen: string): TesserasError {
  return new TesserasError(
    "corrupt",
    `Cannot read ${file.path}: ${seen}, wanted ${keyOf(file.hash)}`,
  );
}
