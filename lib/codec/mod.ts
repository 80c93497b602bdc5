/**
 * MessagePack in one form only: what one participant encodes every other reads to the same value, and hostile bytes are
 * refused before a decoder sees them.
 *
 * @module
 */
export { decode, type Decoded } from "./decode.ts";
export { type Encodable, encode } from "./encode.ts";
export { type BytesSize, Field, Fields, readFields } from "./fields.ts";
export { type DecodeLimits, scan } from "./scan.ts";
