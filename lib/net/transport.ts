/**
 * The transport port: authenticated connections between nodes, and streams of bytes on them.
 *
 * Two implementations pass one contract suite: QUIC (`quic.ts`) and a seeded
 * in-memory network under a virtual clock (`sim.ts`).
 */
import type { Address } from "@tesseras/core";

/** Whom a dial expects to answer. */
export type Expect =
  /** The peer must hold this 32-byte Ed25519 key; anyone else is `forged`. */
  | { readonly publicKey: Uint8Array }
  /** Nobody in particular: good for learning who answers, and for nothing else. */
  | "anyone";

/** Why a connection ended. `code` is what the end that closed it gave, or {@link CLOSED_LOST}. */
export type Closed = { readonly code: number; readonly reason: string };

/** A friendly end: nobody did anything wrong. */
export const CLOSED_FRIENDLY = 0;
/** The answerer never let the connection in: its admission said no, or it is full. */
export const CLOSED_REFUSED = 1;
/** Nobody closed the connection: the peer went silent. Never travels on the wire. */
export const CLOSED_LOST = -1;

/** A bidirectional stream. There is no reset: an abandoned stream looks like a clean end, so lengths must be announced. */
export interface Stream {
  /**
   * The next bytes, at least one, or `undefined` at the end. The array is borrowed: it is only good until the next call. One
   * reader at a time. An aborted read loses nothing: the next one gets its bytes, and waits for as many.
   *
   * @param bytesMin waits for so many, unless the end comes before: bulk in few pieces costs half. At most `BULK_STRIDE_BYTES_MAX`
   * @throws `unreachable` when the connection is over, or the signal's error
   */
  read(
    signal: AbortSignal,
    bytesMin?: number,
  ): Promise<Uint8Array | undefined>;
  /**
   * Writes all the bytes, waiting while the peer does not take them. Borrows them until it resolves; when it rejects they may
   * still be on their way, and must not be changed any more. An aborted write abandons the stream, because nobody knows how
   * much of it left.
   *
   * @throws `refused` when the peer abandoned the stream (its answer may still be there to read), `unreachable` when the
   * connection is over, or the signal's error
   */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Ends our side: the peer reads an end after what was written. Does not wait until it has. @throws as {@link write} */
  finish(signal: AbortSignal): Promise<void>;
  /**
   * Gives up both sides without waiting. Safe at any time, also twice. A stream whose end was not read needs it: until both its
   * ends are done, it takes one of the places its opener has.
   */
  abandon(): void;
}

/** A connection to one peer. Streams may be opened from both ends. */
export interface Connection {
  /** Where the peer's packets come from now; it moves when a NAT in between does. */
  readonly remote: Address;
  /** Whether we dialled (else we answered). */
  readonly dialled: boolean;
  /**
   * Opens a stream, waiting while the peer has as many of ours as it allows. It hears of the stream with the first write.
   *
   * @throws `unreachable` when the connection is over, or the signal's error
   */
  open(signal: AbortSignal): Promise<Stream>;
  /** The next stream the peer opened, or `undefined` when the connection is over. */
  accept(signal: AbortSignal): Promise<Stream | undefined>;
  /** Ends the connection now. What was just written may be lost: the receiver of the last message closes. */
  close(code: number, reason: string): void;
  /** Resolves when the connection is over, whoever ended it. Never rejects. */
  readonly closed: Promise<Closed>;
}

/** One endpoint on one UDP port, for dialling and answering. Disposing it closes every connection. */
export interface Transport extends AsyncDisposable {
  /** Where we listen: the bound address, with the real port. */
  readonly local: Address;
  /**
   * Connects. When it resolves the transport has checked that the peer holds the expected key.
   *
   * @throws `unreachable` (nobody answers), `forged` (another key answers), `refused` (the peer closed), `cancelled` (this
   * transport was disposed), or the signal's error
   */
  dial(
    address: Address,
    expect: Expect,
    signal: AbortSignal,
  ): Promise<Connection>;
  /** Has every inbound connection that begins from now on greeted. One greeter at a time; a later one takes over. */
  greetWith(greet: Greet): void;
  /** The next inbound connection whose handshake is done, or `undefined` when the transport is disposed. */
  accept(signal: AbortSignal): Promise<Connection | undefined>;
}

/**
 * Asked for every inbound connection before its handshake. `false` drops it.
 * The address is not yet validated: it may be forged.
 */
export type Admit = (remote: Address) => boolean;

/**
 * Told of an inbound connection as soon as it carries what we send, which is before its handshake is over: what is written now
 * travels with our part of that, and its dialer has it a round trip sooner. Nothing of the dialer's can be read yet, its
 * address may be forged, and most that begin so may never be accepted. Must neither wait nor throw.
 */
export type Greet = (connection: Connection) => void;
