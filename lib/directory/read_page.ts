/** Reading the directory page of somebody else: bytes of a stranger. */
import { fromUtf8, TesserasError } from "@tesseras/core";
import {
  DIRECTORY_PAGE_BYTES_MAX,
  NODE_RECORD_BYTES_MAX,
  SOURCE_PEERS_MAX,
} from "@tesseras/core/limits";
import { fromBase64url } from "./base64url.ts";

/** What a page says. */
export type DirectoryPage = {
  /** Signed records as they travel, unchecked: whoever uses one verifies it. */
  readonly records: readonly Uint8Array[];
  /** Entries that hold no record, or came beyond the bound. */
  readonly refusedCount: number;
};

/**
 * Reads a page. Readable fields are passed over: what counts is signed.
 *
 * @throws `malformed` when it is too long, no JSON, or not a page of a version we know
 */
export function readDirectoryPage(bytes: Uint8Array): DirectoryPage {
  if (bytes.length > DIRECTORY_PAGE_BYTES_MAX) {
    throw refused(`${bytes.length} bytes, at most ${DIRECTORY_PAGE_BYTES_MAX}`);
  }
  const page = parse(fromUtf8(bytes));
  if (typeof page !== "object" || page === null) throw refused("no object");
  const { v, peers } = page as { readonly v?: unknown; peers?: unknown };
  if (v !== 1) throw refused("not version 1");
  if (!Array.isArray(peers)) throw refused("no list of peers");
  const records = peers.slice(0, SOURCE_PEERS_MAX).map(recordOf)
    .filter((record) => record !== undefined);
  return { records, refusedCount: peers.length - records.length };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused("no JSON", cause);
  }
}

function recordOf(entry: unknown): Uint8Array | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { record } = entry as { readonly record?: unknown };
  if (typeof record !== "string") return undefined;
  if (record.length > 2 * NODE_RECORD_BYTES_MAX) return undefined;
  const bytes = fromBase64url(record);
  return bytes !== undefined && bytes.length <= NODE_RECORD_BYTES_MAX
    ? bytes
    : undefined;
}

function refused(reason: string, cause?: unknown): TesserasError {
  return new TesserasError(
    "malformed",
    `Cannot read the directory page: ${reason}`,
    { cause },
  );
}
