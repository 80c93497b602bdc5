/** What stands before the memories: MANIFEST, the creator's keys, and both signatures, read from anybody's copy. */
import {
  blake3,
  type MlDsaSuite,
  parsePublicKeyPem,
  type PublicKeys,
  type SignedBoth,
  verifyBoth,
} from "@tesseras/crypto";
import {
  concat,
  equal,
  messageOf,
  type TesseraId,
  tesseraId,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { MANIFEST_BYTES_MAX } from "@tesseras/core/limits";
import { type Manifest, parseManifest } from "./manifest.ts";
import {
  ED25519_KEY_PATH,
  ED25519_SIGNATURE_PATH,
  MANIFEST_PATH,
  ML_DSA_KEY_PATH,
  ML_DSA_SIGNATURE_PATH,
} from "./paths.ts";

/** Somebody's copy of a tessera. */
export interface TesseraSource {
  /** Every file there is, in any order. */
  list(
    signal: AbortSignal,
  ): Promise<readonly { readonly path: string; readonly bytes: number }[]>;
  /** The bytes of one listed file, in pieces that are borrowed until the next. */
  read(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A tessera's MANIFEST and keys, as far as a copy gives them. */
export type TesseraHead = {
  readonly id: TesseraId;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly signatures: SignedBoth;
  readonly problems: readonly string[];
};

/** Bytes of a PEM file or a signature, which are far below. */
const SMALL_BYTES_MAX = 16 * 1024;
/**
 * Reads and judges what stands before the files: MANIFEST, keys and signatures. Wrong signatures are reported, not thrown.
 *
 * @throws `missing` when there is no MANIFEST; `malformed` when it cannot be read
 */
export async function readHead(
  source: TesseraSource,
  suite: MlDsaSuite,
  signal: AbortSignal,
): Promise<TesseraHead> {
  const paths = new Set((await source.list(signal)).map(({ path }) => path));
  if (!paths.has(MANIFEST_PATH)) {
    throw new TesserasError(
      "missing",
      "Cannot read tessera: there is no MANIFEST in it",
    );
  }
  const read = (path: string): Promise<Uint8Array> =>
    paths.has(path)
      ? readSmall(source, { path, bytesMax: SMALL_BYTES_MAX }, signal)
      : Promise.resolve(new Uint8Array());
  const manifestBytes = await readSmall(source, {
    path: MANIFEST_PATH,
    bytesMax: MANIFEST_BYTES_MAX,
  }, signal);
  const manifest = parseManifest(manifestBytes);
  const problems: string[] = [];
  const publicKeys = keysOf(manifest, {
    ed25519: await read(ED25519_KEY_PATH),
    mlDsa: await read(ML_DSA_KEY_PATH),
  }, problems);
  const signatures = publicKeys === undefined
    ? { ed25519: false, mlDsa: false }
    : await verifyBoth({
      message: manifestBytes,
      publicKeys,
      signatures: {
        ed25519: await read(ED25519_SIGNATURE_PATH),
        mlDsa: await read(ML_DSA_SIGNATURE_PATH),
      },
    }, suite);
  if (!signatures.ed25519) {
    problems.push(`${ED25519_SIGNATURE_PATH} does not sign this MANIFEST`);
  }
  if (!signatures.mlDsa) {
    problems.push(`${ML_DSA_SIGNATURE_PATH} does not sign this MANIFEST`);
  }
  const id = tesseraId(blake3(manifestBytes));
  return { id, manifest, manifestBytes, signatures, problems };
}

/** The creator's keys out of the PEM files, if they are those that the MANIFEST names. */
function keysOf(
  manifest: Manifest,
  pem: PublicKeys,
  problems: string[],
): PublicKeys | undefined {
  try {
    const ed25519 = parsePublicKeyPem("ed25519", pem.ed25519);
    const mlDsa = parsePublicKeyPem("mlDsa65", pem.mlDsa);
    if (
      equal(ed25519, manifest.creatorEd25519) &&
      equal(blake3(mlDsa), manifest.creatorMlDsa)
    ) return { ed25519, mlDsa };
    problems.push("The keys in identity/ are not those that MANIFEST names");
  } catch (error) {
    if (!(error instanceof TesserasError)) throw error;
    problems.push(`The keys in identity/ cannot be used. ${messageOf(error)}`);
  }
  return undefined;
}

/** A whole small file. @throws `malformed` as soon as it is longer than allowed */
export async function readSmall(
  source: TesseraSource,
  file: { readonly path: string; readonly bytesMax: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source.read(file.path, signal)) {
    throwIfAborted(signal);
    bytes += chunk.length;
    if (bytes > file.bytesMax) {
      throw new TesserasError(
        "malformed",
        `Cannot read ${file.path}: more than ${file.bytesMax} bytes`,
      );
    }
    chunks.push(chunk.slice());
  }
  return concat(chunks);
}
