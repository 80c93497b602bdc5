/** Reading the directory page of another: so many bytes, from where it was asked for. */
import {
  concat,
  messageOf,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { DIRECTORY_PAGE_BYTES_MAX } from "@tesseras/core/limits";
import { DIRECTORY_PATH } from "@tesseras/directory/page";

/**
 * Fetches the page.
 *
 * @param base `https://host` or `https://host:port`
 * @throws `unreachable`; `malformed` when it is longer than a page may be; or the signal's error
 */
export async function fetchDirectoryPage(
  base: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  try {
    const url = new URL(DIRECTORY_PATH, base);
    // A redirection would lead where nobody told us to go.
    const answer = await fetch(url, { signal: either, redirect: "error" });
    if (answer.status !== 200) {
      throw new TesserasError("unreachable", `status ${answer.status}`);
    }
    return await readBounded(answer.body);
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof TesserasError) throw cause;
    throw new TesserasError(
      "unreachable",
      `Cannot read the page: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    stop.abort();
  }
}

async function readBounded(
  body: ReadableStream<Uint8Array> | null,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.length;
    if (length > DIRECTORY_PAGE_BYTES_MAX) {
      throw new TesserasError(
        "malformed",
        `Cannot read the page: more than ${DIRECTORY_PAGE_BYTES_MAX} bytes`,
      );
    }
    parts.push(part);
  }
  return concat(parts);
}
