/** What a file system refuses, as a sentence for a person. For the adapters of this folder only. */
import { TesserasError } from "@tesseras/core";

const SENTENCES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  ELOOP: "its symbolic links go in circles",
  ENAMETOOLONG: "the name is too long",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  EROFS: "the file system is read-only",
  EIO: "the medium failed",
  EINVAL: "the name cannot be used",
};

/** The reason of a refusal by the file system: a few words without a period. */
export function diskReason(error: unknown): string {
  const code = systemCode(error);
  if (code !== undefined && code in SENTENCES) return SENTENCES[code]!;
  return error instanceof Error ? error.message : String(error);
}

/**
 * Turns a refusal by the file system into ours, and leaves a {@link TesserasError} as it is.
 *
 * @param tried what we tried, as in "Cannot read 'a.jpg'"
 * @returns `diskFull`, `missing` when the path leads nowhere, else `unusable`
 */
export function diskError(error: unknown, tried: string): TesserasError {
  if (error instanceof TesserasError) return error;
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new TesserasError("diskFull", `${tried}: the disk is full`, {
      cause: error,
    });
  }
  const absent = code === "ENOENT" || code === "ENOTDIR";
  return new TesserasError(
    absent ? "missing" : "unusable",
    `${tried}: ${diskReason(error)}`,
    { cause: error },
  );
}

/** The errno name that Deno hangs on what the operating system refused. */
function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
