/** Identifiers as branded bytes: only the parsers here make one, and `keyOf` makes it a map key. */
import { fromHex, toHex } from "./bytes.ts";
import { TesserasError } from "./error.ts";
import { HASH_BYTES, NODE_ID_BYTES } from "./limits.ts";

declare const brand: unique symbol;

/** A node: first 20 bytes of BLAKE3(ed25519 public key || 8-byte big-endian nonce). */
export type NodeId = Uint8Array & { readonly [brand]: "NodeId" };
/** A BLAKE3 digest of 32 bytes. */
export type Hash = Uint8Array & { readonly [brand]: "Hash" | "TesseraId" };
/** A tessera: BLAKE3 of its MANIFEST bytes, 32 bytes. Every tessera id is a hash. */
export type TesseraId = Hash & { readonly [brand]: "TesseraId" };

/** @throws `malformed` unless the bytes are 20. Keeps the argument. */
export function nodeId(bytes: Uint8Array): NodeId {
  return sized(bytes, NODE_ID_BYTES, "node id") as NodeId;
}

/** @throws `malformed` unless the bytes are 32. Keeps the argument. */
export function hash(bytes: Uint8Array): Hash {
  return sized(bytes, HASH_BYTES, "hash") as Hash;
}

/** @throws `malformed` unless the bytes are 32. Keeps the argument. */
export function tesseraId(bytes: Uint8Array): TesseraId {
  return sized(bytes, HASH_BYTES, "tessera hash") as TesseraId;
}

/** @throws `malformed` unless the text is 40 hexadecimal digits */
export function parseNodeId(text: string): NodeId {
  return nodeId(fromHex(text));
}

/** @throws `malformed` unless the text is 64 hexadecimal digits */
export function parseHash(text: string): Hash {
  return hash(fromHex(text));
}

/** @throws `malformed` unless the text is 64 hexadecimal digits */
export function parseTesseraId(text: string): TesseraId {
  return tesseraId(fromHex(text));
}

/** The DHT key of a tessera: the first 20 bytes of its content hash, a point in the space of node ids. */
export function keyOfTessera(id: TesseraId): NodeId {
  return nodeId(id.slice(0, NODE_ID_BYTES));
}

/** A text that stands for the bytes in a `Map` or `Set`: lower-case hexadecimal. */
export function keyOf(id: Uint8Array): string {
  return toHex(id);
}

function sized(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length !== length) {
    throw new TesserasError(
      "malformed",
      `Cannot read ${what}: ${bytes.length} bytes, wanted ${length}`,
    );
  }
  return bytes;
}
