/** The two checksum lists, in the form that `b3sum -c` and `sha256sum -c` read. */
import { toHex, utf8 } from "@tesseras/core";
import { comparePaths } from "./paths.ts";

/** One line of a list: a digest of 32 bytes and whose it is. */
export type Checksum = { readonly path: string; readonly digest: Uint8Array };

/** The bytes of a list: `<64 hex>  <path>` a line, by path bytes. */
export function printChecksums(checksums: readonly Checksum[]): Uint8Array {
  const sorted = checksums.toSorted((a, b) => comparePaths(a.path, b.path));
  return utf8(
    sorted.map(({ path, digest }) => `${toHex(digest)}  ${path}\n`).join(""),
  );
}
