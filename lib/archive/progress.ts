/** How far long work has come. */

/** Bytes done of all bytes; `totalBytes` may be 0. */
export type Progress = {
  readonly doneBytes: number;
  readonly totalBytes: number;
};

/** Is told how far the work has come, often; it must not wait. */
export type OnProgress = (progress: Progress) => void;

/** Counts bytes of several workers towards one total. */
export class Tally {
  readonly #totalBytes: number;
  readonly #onProgress: OnProgress;
  #doneBytes = 0;

  constructor(totalBytes: number, onProgress: OnProgress) {
    this.#totalBytes = totalBytes;
    this.#onProgress = onProgress;
  }

  /** Bytes done so far. */
  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** Adds bytes that are done, and tells. */
  add(bytes: number): void {
    this.#doneBytes += bytes;
    this.#onProgress({
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
    });
  }
}
