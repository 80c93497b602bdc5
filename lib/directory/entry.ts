/** What a directory of peers keeps, and what every directory must do. */

/** One peer as a newcomer is told of it. The record proves itself; the other fields are for people and for choosing. */
export type DirectoryEntry = {
  /** The node's id, 40 hexadecimal digits. */
  readonly id: string;
  /** Its signed record as it travels. */
  readonly record: Uint8Array;
  /** Where it answers, best first. */
  readonly addresses: readonly string[];
  /** Names of what it offers. */
  readonly offers: readonly string[];
  /** The network it counts for in diversity rules, if it has one. */
  readonly subnet: string | undefined;
  /** Unix milliseconds at which it was last heard of. */
  readonly seenMs: number;
  /** Unix milliseconds from which on nobody is told of it. */
  readonly expiresAtMs: number;
};

/**
 * Peers that newcomers may be told of: a bounded table of places, each id with one place of its own that it may share with
 * others. Whoever is there stays until it expires or leaves, so that a flood of fresh ids cannot push out peers that are heard of.
 */
export interface Directory extends AsyncDisposable {
  /**
   * Notes peers, the entry of before replaced by one that was heard of later. Keeps none of the arguments.
   *
   * @returns how many were kept
   * @throws `unreachable` when what the directory lies in does not answer, or the signal's error
   */
  put(
    entries: readonly DirectoryEntry[],
    signal: AbortSignal,
  ): Promise<number>;

  /**
   * At most `count` entries that have not expired, from a random place on, each once.
   *
   * @throws as {@link put}
   */
  sample(
    count: number,
    signal: AbortSignal,
  ): Promise<readonly DirectoryEntry[]>;
}
