/** Why a session ended, told to whoever was asking over it. */
import {
  type Clock,
  codeOf,
  type ErrorCode,
  keyOf,
  orAbort,
  TesserasError,
} from "@tesseras/core";
import { CLOSE, type Session } from "./hello.ts";
import { type Closed, CLOSED_LOST, type Connection } from "./transport.ts";

/** How long the end of a connection may take to show after its streams have failed. */
const CLOSED_WAIT_MS = 1_000;
/** Letters shown of the reason a peer gives. */
const REASON_LENGTH_MAX = 80;

/** What a session's end means to one who wanted an answer. */
export type Ending = {
  /** `unreachable` for a connection that is merely over; `overloaded` or `refused` when the peer has closed it on us. */
  readonly error: TesserasError;
  /** Whether the peer does not want us, so that dialling it again at once would change nothing. */
  readonly turnedAway: boolean;
};

/** Explains a session whose connection is over or about to be; `undefined` for one that lives. */
export async function endingOf(
  { session, clock }: { readonly session: Session; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Ending | undefined> {
  const peer = keyOf(session.peer.id);
  const closed = await closedOf(session.connection, clock, signal);
  if (closed === undefined) return undefined;
  const { code } = closed;
  const hasLeft = code === CLOSE.leaving;
  if (code === CLOSED_LOST || code === CLOSE.done || hasLeft) {
    const error = new TesserasError(
      "unreachable",
      `Cannot ask ${peer}: ${
        hasLeft ? "it has left" : "the connection is over"
      }`,
    );
    return { error, turnedAway: false };
  }
  const meaning: ErrorCode = code === CLOSE.overloaded
    ? "overloaded"
    : "refused";
  const reason = JSON.stringify(closed.reason.slice(0, REASON_LENGTH_MAX));
  const error = new TesserasError(
    meaning,
    `Cannot ask ${peer}: it closed the connection, ${reason}`,
  );
  return { error, turnedAway: true };
}

/** How the connection ended, or `undefined` when that does not show in time. */
async function closedOf(
  connection: Connection,
  clock: Clock,
  signal: AbortSignal,
): Promise<Closed | undefined> {
  using patience = clock.deadline(CLOSED_WAIT_MS, signal);
  try {
    return await orAbort(connection.closed, patience.signal);
  } catch (error) {
    // Only the patience ends this wait: `closed` never rejects.
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
