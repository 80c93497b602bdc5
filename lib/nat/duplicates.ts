/** Which of two connections between the same peers both of them keep, without a word about it. */
import { compare, type NodeId } from "@tesseras/core";

/** A connection as both its ends see it. */
export type Twin = {
  /** Whether we dialled it. */
  readonly dialled: boolean;
  /** Whether it runs over a relay: both ends know, for both asked the relay. */
  readonly relayed: boolean;
  /** When its handshake was done here, on a monotonic clock. */
  readonly openedMs: number;
};

/** Whose connections they are. */
export type TwinRules = {
  readonly self: NodeId;
  readonly peer: NodeId;
  /** Two that began within so many milliseconds of each other were dialled by both sides at once. */
  readonly togetherMs: number;
};

/**
 * Whether a fresh connection is to be used instead of one that is open. Both ends come to the same answer, for they go by the same facts:
 *
 * 1. A direct one beats a relayed one, whichever came first: the relay belongs to somebody else.
 * 2. Of two dialled in opposite directions at once, that of the lower id stays.
 * 3. Otherwise the fresh one: its dialer opened it because the old one is dead to it.
 *
 * Several dials of one side are not for its peer to choose from: whoever dials several times at once greets on the first connection that
 * stands and closes the others ungreeted (see {@link FirstDial}), or the two could each keep another one.
 */
export function supersedes(
  fresh: Twin,
  open: Twin,
  { self, peer, togetherMs }: TwinRules,
): boolean {
  if (fresh.relayed !== open.relayed) return open.relayed;
  const together = Math.abs(fresh.openedMs - open.openedMs) < togetherMs;
  if (!together || fresh.dialled === open.dialled) return true;
  return fresh.dialled === (compare(self, peer) < 0);
}

/** Which of one side's own simultaneous dials to a peer counts: the first whose handshake is done. */
export class FirstDial {
  #isTaken = false;

  /** Whether some dial has stood already. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Whether this dial is the first that stands; the others are to be closed without a greeting. */
  take(): boolean {
    if (this.#isTaken) return false;
    this.#isTaken = true;
    return true;
  }

  /** The one that stood has failed its hello: another may still do. */
  release(): void {
    this.#isTaken = false;
  }
}
