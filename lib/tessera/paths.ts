/** Where things lie in a tessera, and which paths there may be at all. */

/** The list of all files, whose BLAKE3 is the tessera's id. */
export const MANIFEST_PATH = "MANIFEST";
/** The lists that `b3sum -c` and `sha256sum -c` read. */
export const CHECKSUMS_B3_PATH = "CHECKSUMS.b3";
export const CHECKSUMS_SHA256_PATH = "CHECKSUMS.sha256";
/** Where a reader without software begins. */
export const README_PATH = "README.decode";
/** The creator's public keys, PEM. */
export const ED25519_KEY_PATH = "identity/creator.pub.ed25519";
export const ML_DSA_KEY_PATH = "identity/creator.pub.ml-dsa-65";
/** The creator's signatures of the MANIFEST bytes, raw. */
export const ED25519_SIGNATURE_PATH = "identity/signature.ed25519.sig";
export const ML_DSA_SIGNATURE_PATH = "identity/signature.ml-dsa-65.sig";
/** The schema of every `meta.json`. */
export const SCHEMA_PATH = "schema/v1.json";

/**
 * The files that a MANIFEST does not list, in pack order. It cannot list itself; the signatures are made over it; the checksum lists
 * name it and the signatures.
 */
export const UNLISTED_PATHS: readonly string[] = [
  MANIFEST_PATH,
  ED25519_SIGNATURE_PATH,
  ML_DSA_SIGNATURE_PATH,
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
];

/** Characters of a path: what a tar header holds without an extension (POSIX ustar, `name`). */
export const PATH_CHARS_MAX = 100;

/** Letters, digits and `._-` inside, a letter or digit at both ends: no hidden file, no `..`, no name a system forbids. */
const PATH =
  /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?){0,7}$/;

/** Whether a file of a tessera may lie at this path: the closed grammar of docs/FORMAT.md. */
export function isTesseraPath(path: string): boolean {
  return path.length <= PATH_CHARS_MAX && PATH.test(path);
}

/** Whether the path is that of a memory itself, not of what is told about it. */
export function isMediaPath(path: string): boolean {
  return /^memories\/[^/]+\/media\.[a-z0-9]+$/.test(path);
}

/** Folders that are a tessera's own. */
const OWN_FOLDERS = ["identity/", "memories/", "decode/", "schema/"];

/** Whether the path lies in a folder of the tessera itself, where a stranger's file could pass for a part of it. */
export function isOwnPath(path: string): boolean {
  return OWN_FOLDERS.some((folder) => path.startsWith(folder));
}

/** What a stranger should meet first when a pack is read from its beginning, by path or folder. */
const PACK_ORDER = [
  MANIFEST_PATH,
  ED25519_SIGNATURE_PATH,
  ML_DSA_SIGNATURE_PATH,
  "identity/",
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  README_PATH,
  "decode/",
  "schema/",
];

/** Orders paths as a pack holds them: by {@link PACK_ORDER}, unknown ones, then memories; equal ranks by bytes. */
export function comparePackOrder(a: string, b: string): number {
  return packRank(a) - packRank(b) || comparePaths(a, b);
}

/** Orders paths by their bytes; all are ASCII. */
export function comparePaths(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function packRank(path: string): number {
  if (path.startsWith("memories/")) return PACK_ORDER.length + 1;
  const rank = PACK_ORDER.findIndex((at) =>
    at.endsWith("/") ? path.startsWith(at) : path === at
  );
  return rank < 0 ? PACK_ORDER.length : rank;
}
