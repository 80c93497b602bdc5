/** The port to what several relays of one operator grant together: without it, each identity has its quota at every one of them. */

/** One place in a session, held by one peer. */
export type Lease = {
  /** Names it among all relays. */
  readonly name: string;
  /** What it counts against; it is held against all of them or none. At most `LEASES_PER_SUBJECT_MAX` each. */
  readonly subjects: readonly {
    /** An identity or a network, at most 64 characters. */
    readonly name: string;
    /** Leases of it at once, this one included. */
    readonly max: number;
  }[];
};

/** The most leases that a store keeps of one subject: what one value of it has room for. */
export const LEASES_PER_SUBJECT_MAX = 128;

/** Leases that several processes share. A relay that dies gives its own back by letting them run out. */
export interface SharedQuotas extends AsyncDisposable {
  /**
   * Takes a lease, or holds one that was taken for longer.
   *
   * @returns whether there was room
   * @throws `unreachable` when the store does not answer or is too busy, or the signal's error
   */
  take(lease: Lease, signal: AbortSignal): Promise<boolean>;
  /** Gives a lease back; one that is not held is passed over. @throws as {@link SharedQuotas.take} */
  release(lease: Lease, signal: AbortSignal): Promise<void>;
}
