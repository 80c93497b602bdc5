/** Where everything lies in a pack, told by its MANIFEST alone: a pack can so be read while most of it is still to come. */
import { equal, TesserasError } from "@tesseras/core";
import {
  ED25519_SIGNATURE_BYTES,
  HASH_BYTES,
  MANIFEST_BYTES_MAX,
  ML_DSA_SIGNATURE_BYTES,
} from "@tesseras/core/limits";
import { printChecksums } from "./checksums.ts";
import { parseManifest } from "./manifest.ts";
import { type ByteSource, type PackEntry, packLayout } from "./pack.ts";
import {
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  ED25519_SIGNATURE_PATH,
  MANIFEST_PATH,
  ML_DSA_SIGNATURE_PATH,
} from "./paths.ts";
import {
  parseTarHeader,
  printTarHeader,
  TAR_BLOCK_BYTES,
} from "./tar_header.ts";
import type { TarEntry } from "./unpack.ts";

/**
 * The entries of a pack as FORMAT.md has it, from its first bytes. Nothing of it is verified, and the headers may say
 * otherwise: see {@link checkHeader}.
 *
 * @throws `malformed` when it begins with no MANIFEST, or with that of a pack of another size
 */
export async function foretellPack(
  pack: ByteSource,
  signal: AbortSignal,
): Promise<readonly TarEntry[]> {
  const block = await readExactly(pack, 0, TAR_BLOCK_BYTES, signal);
  const first = parseTarHeader(block);
  if (first?.path !== MANIFEST_PATH || first.bytes > MANIFEST_BYTES_MAX) {
    throw malformed("it does not begin with a MANIFEST");
  }
  const { files } = parseManifest(
    await readExactly(pack, TAR_BLOCK_BYTES, first.bytes, signal),
  );
  const summed = [
    { path: MANIFEST_PATH, bytes: first.bytes },
    { path: ED25519_SIGNATURE_PATH, bytes: ED25519_SIGNATURE_BYTES },
    { path: ML_DSA_SIGNATURE_PATH, bytes: ML_DSA_SIGNATURE_BYTES },
    ...files,
  ];
  const list = listBytes(summed);
  const { bytes, segments } = packLayout([
    ...summed,
    { path: CHECKSUMS_B3_PATH, bytes: list },
    { path: CHECKSUMS_SHA256_PATH, bytes: list },
  ]);
  if (bytes !== pack.bytes) {
    throw malformed(
      `its MANIFEST is that of a pack of ${bytes} bytes, it has ${pack.bytes}`,
    );
  }
  return segments.map((segment) => ({
    path: segment.path,
    bytes: segment.bytes,
    offset: segment.offset + TAR_BLOCK_BYTES,
  }));
}

/** @throws `malformed` when the header before an entry is not the one that was foretold */
export async function checkHeader(
  pack: ByteSource,
  { path, bytes, offset }: TarEntry,
  signal: AbortSignal,
): Promise<void> {
  const at = offset - TAR_BLOCK_BYTES;
  const seen = await readExactly(pack, at, TAR_BLOCK_BYTES, signal);
  if (equal(seen, printTarHeader(path, bytes))) return;
  throw malformed(`at byte ${at} there is no header of ${path}`);
}

/** Bytes of a checksum list of these files; both kinds of digests are equally long. */
function listBytes(files: readonly PackEntry[]): number {
  const digest = new Uint8Array(HASH_BYTES);
  return printChecksums(files.map(({ path }) => ({ path, digest }))).length;
}

async function readExactly(
  pack: ByteSource,
  offset: number,
  bytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  for (let filled = 0; filled < bytes;) {
    const count = await pack.read(
      offset + filled,
      into.subarray(filled),
      signal,
    );
    if (count === 0) throw malformed(`it ends after ${offset + filled} bytes`);
    filled += count;
  }
  return into;
}

function malformed(what: string): TesserasError {
  return new TesserasError("malformed", `Cannot read pack: ${what}`);
}
