/**
 * What a relay can read of QUIC: the fields that no version changes (RFC 8999). Each peer tells the other in a long header by which
 * connection id it wants to be called, so who says the id that one side offered has heard from it.
 */
import { equal } from "@tesseras/core";
import { otherSide, type Side } from "@tesseras/nat";

/** Ids remembered of each side: both dials of a pair, and one more of each. */
const IDS_MAX = 4;
/** Shorter ids can be guessed. The least a client may choose (RFC 9000, 7.2), and what the platform's QUIC uses. */
const ID_BYTES_MIN = 8;
/** The longest id of versions 1 and 2 (RFC 9000, 17.2). */
const ID_BYTES_MAX = 20;
/** The smallest datagram that opens a connection (RFC 9000, 14.1). */
const OPENING_BYTES_MIN = 1_200;
/** Where the length of the first id stands in a long header (RFC 8999, 5.1). */
const ID_LENGTH_AT = 5;

const LONG_HEADER = 0x80;
const LONG_HEADER_FIXED = 0xc0;

/** Both ids of a long header. Views of the packet. */
type LongHeader = {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
};

/** Whether a packet has a long header: those are few, and only they tell ids. */
export function isLong(packet: Uint8Array): boolean {
  return (packet[0]! & LONG_HEADER) !== 0;
}

/** Whether a packet looks like the first of a connection: large, long, of some version, for an id that nobody guesses. */
export function opensConnection(packet: Uint8Array): boolean {
  if (packet.length < OPENING_BYTES_MIN) return false;
  if ((packet[0]! & LONG_HEADER_FIXED) !== LONG_HEADER_FIXED) return false;
  const header = readLong(packet);
  return header !== undefined && header.destination.length >= ID_BYTES_MIN;
}

/** The ids that both sides of a pair offered last. */
export class OfferedIds {
  readonly #offered: readonly [Uint8Array[], Uint8Array[]] = [[], []];

  /** Remembers the id by which the sender of a long header wants to be called. Copies it. */
  learn(side: Side, packet: Uint8Array): void {
    const source = readLong(packet)?.source;
    if (source === undefined || source.length < ID_BYTES_MIN) return;
    const ids = this.#offered[side];
    if (ids.some((id) => equal(id, source))) return;
    ids.push(source.slice());
    if (ids.length > IDS_MAX) ids.shift();
  }

  /** Whether a packet from a side calls the other one by an id that only who got its packets knows. */
  isEcho(side: Side, packet: Uint8Array): boolean {
    const ids = this.#offered[otherSide(side)];
    if (packet.length === 0) return false;
    if (isLong(packet)) {
      const destination = readLong(packet)?.destination;
      return destination !== undefined &&
        ids.some((id) => equal(id, destination));
    }
    // A short header does not say how long its id is; its receiver knows (RFC 8999, 5.2).
    return ids.some((id) => equal(id, packet.subarray(1, 1 + id.length)));
  }
}

/** `undefined` for a short header, negotiation of a version, and whatever is no QUIC. */
function readLong(packet: Uint8Array): LongHeader | undefined {
  if (packet.length === 0 || !isLong(packet)) return undefined;
  const isNegotiation = packet.subarray(1, ID_LENGTH_AT).every((b) => b === 0);
  const destination = idAt(packet, ID_LENGTH_AT);
  if (isNegotiation || destination === undefined) return undefined;
  const source = idAt(packet, ID_LENGTH_AT + 1 + destination.length);
  return source && { destination, source };
}

function idAt(packet: Uint8Array, at: number): Uint8Array | undefined {
  const length = packet[at];
  if (length === undefined || length > ID_BYTES_MAX) return undefined;
  const end = at + 1 + length;
  return end <= packet.length ? packet.subarray(at + 1, end) : undefined;
}
