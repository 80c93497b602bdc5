/** Reads one file of a person once: into a blob, through both hashes, with a look at its beginning. */
import { TesserasError } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import type { Blobs } from "@tesseras/blobs";
import { Sha256 } from "@tesseras/crypto";
import {
  EXIF_HEAD_BYTES,
  looksLike,
  type MemoryInput,
} from "@tesseras/tessera";
import type { Intake } from "./intake.ts";
import { openPassage, type PlaceFate, unchanged } from "./passage.ts";
import { quoted } from "./quoted.ts";
import type { SourceFile, SourceReader } from "./source_file.ts";

/** Bytes read at once after the head. */
const CHUNK_BYTES = 1 * MIB;

/** A file that is in the store now. */
export type TakenIn = {
  readonly memory: MemoryInput;
  readonly place: PlaceFate;
};

/** Where a file goes and what is done to it on the way. */
export type TakeInParts = {
  readonly blobs: Blobs;
  readonly intake: Intake;
  /** Whether coordinates stay in photographs and are told about them. */
  readonly keepPlaces: boolean;
  /** Is told of bytes as they are read. */
  readonly onBytes: (bytes: number) => void;
};

/** @throws `unusable` when the file changes while it is read, `missing` when it is gone, `diskFull` */
export async function takeIn(
  parts: TakeInParts,
  file: SourceFile,
  signal: AbortSignal,
): Promise<TakenIn> {
  await using reader = await file.open(signal);
  await using writer = await parts.blobs.create(signal);
  const sha256 = new Sha256();
  const take = async (chunks: Iterable<Uint8Array>): Promise<void> => {
    for (const chunk of chunks) {
      const writing = writer.write(chunk, signal);
      sha256.update(chunk);
      await writing;
      parts.onBytes(chunk.length);
    }
  };
  const head = await readHead(file, reader, signal);
  const passage = looksLike(file.kind, head)
    ? openPassage(file, head, parts)
    : unchanged({ about: { declaredOnly: true }, place: "none" });
  await take(passage.pass(head));
  let readBytes = head.length;
  const left = Math.min(CHUNK_BYTES, file.bytes - head.length);
  const chunk = new Uint8Array(Math.max(1, left));
  for (;;) {
    const count = await reader.read(chunk, signal);
    if (count === 0) break;
    readBytes += count;
    if (readBytes > file.bytes) throw changed(file);
    await take(passage.pass(chunk.subarray(0, count)));
  }
  await take(passage.end());
  await reader.checkUnchanged(signal);
  if (writer.bytes !== file.bytes) throw changed(file);
  const seen = passage.seen();
  const { hash, bytes } = await parts.intake.commit(writer, signal);
  const { name, kind, modifiedAtMs } = file;
  return {
    memory: {
      ...seen.about,
      name,
      kind,
      bytes,
      modifiedAtMs,
      blake3: hash,
      sha256: sha256.digest(),
    },
    place: seen.place,
  };
}

async function readHead(
  file: SourceFile,
  reader: SourceReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(EXIF_HEAD_BYTES, file.bytes));
  for (let filled = 0; filled < head.length;) {
    const count = await reader.read(head.subarray(filled), signal);
    if (count === 0) throw changed(file);
    filled += count;
  }
  return head;
}

function changed(file: SourceFile): TesserasError {
  return new TesserasError(
    "unusable",
    `Cannot keep ${
      quoted(file.name)
    }: it changed while it was read; try again when nothing writes to it`,
  );
}
