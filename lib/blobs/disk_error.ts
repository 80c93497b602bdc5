/** What the file system's refusals mean, told in our codes and sentences. */
import { type ErrorCode, messageOf, TesserasError } from "@tesseras/core";

/**
 * Runs file system work; its failures become sentences.
 *
 * @param what completes "Cannot ..."
 * @throws `diskFull`, `corrupt` for a medium that cannot read its own bytes, `overloaded` without file handles, else `unusable`
 */
export async function attempt<T>(
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TesserasError) throw error;
    const { code, saw } = meaningOf(errnoOf(error), error);
    throw new TesserasError(code, `Cannot ${what}: ${saw}`, { cause: error });
  }
}

/** Runs work that may find nothing: `undefined` when the file is absent. */
export async function ifPresent<T>(
  what: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  return await attempt(what, async () => {
    try {
      return await work();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  });
}

/** The name the operating system gave an error (POSIX, errno.h), `undefined` when it gave none. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function meaningOf(
  errno: string | undefined,
  error: unknown,
): { readonly code: ErrorCode; readonly saw: string } {
  switch (errno) {
    case "ENOSPC":
      return { code: "diskFull", saw: "no space is left on the disk" };
    case "EDQUOT":
      return { code: "diskFull", saw: "the disk quota is used up" };
    case "EIO":
      return { code: "corrupt", saw: "the disk failed to read or write it" };
    case "EMFILE":
    case "ENFILE":
      return { code: "overloaded", saw: "too many files are open" };
    case "EACCES":
    case "EPERM":
      return { code: "unusable", saw: "permission denied" };
    case "EROFS":
      return { code: "unusable", saw: "the file system is read-only" };
    default:
      return { code: "unusable", saw: messageOf(error) };
  }
}
