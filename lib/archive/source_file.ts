/** What a person hands over to be kept: files that are read once, and what was left out. */
import type { Kind } from "@tesseras/tessera";

/** One file of a person's folder that a tessera can keep. */
export type SourceFile = {
  /**
   * The path below the folder as the person had it, `/` between its parts. Data: never interpreted, escaped where it
   * is shown.
   */
  readonly name: string;
  readonly kind: Kind;
  readonly bytes: number;
  readonly modifiedAtMs: number;
  /**
   * Opens the file for one reading from its start. Dispose what it returns.
   *
   * @throws `unusable` when the file is no longer the one that was found, `missing` when it is gone
   */
  readonly open: (signal: AbortSignal) => Promise<SourceReader>;
};

/** A {@link SourceFile} being read by one owner, one call at a time. */
export interface SourceReader extends AsyncDisposable {
  /** Fills as much of `into` as comes at once and returns the bytes read; 0 at the end. */
  read(into: Uint8Array, signal: AbortSignal): Promise<number>;
  /** @throws `unusable` when the file has changed since it was found */
  checkUnchanged(signal: AbortSignal): Promise<void>;
}

/** A file or folder that a tessera does not keep, and why: one sentence without a period. */
export type LeftOut = { readonly name: string; readonly reason: string };

/** What was found in a folder. */
export type FolderScan = {
  /** The folder as it was named. */
  readonly path: string;
  /** What can be kept, in order of the bytes of its name. */
  readonly files: readonly SourceFile[];
  /** What cannot, in the same order. */
  readonly leftOut: readonly LeftOut[];
  /** Sum of the bytes of {@link files}. */
  readonly bytes: number;
};
