/** QUIC packets as a relay sees them: the fields of RFC 8999, and nothing behind them. */

/** Bytes of the smallest packet that opens a connection. */
export const OPENING_BYTES = 1_200;

/** An id of eight equal bytes. */
export function idOf(byte: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(8).fill(byte);
}

/** A packet with a long header, padded as an opening one. */
export function longPacket(
  destination: Uint8Array,
  source: Uint8Array,
  bytes = OPENING_BYTES,
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(bytes);
  packet.set([0xc3, 0, 0, 0, 1, destination.length]);
  packet.set(destination, 6);
  packet[6 + destination.length] = source.length;
  packet.set(source, 7 + destination.length);
  return packet;
}

/** A packet with a short header. */
export function shortPacket(
  destination: Uint8Array,
  bytes = 100,
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(bytes).fill(7);
  packet[0] = 0x43;
  packet.set(destination, 1);
  return packet;
}
