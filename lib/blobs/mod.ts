/**
 * Bytes kept by their hash: the port, and the implementation in memory. The one on disk has an entry of its own,
 * `@tesseras/blobs/disk`.
 *
 * @module
 */
export {
  type Access,
  type BlobEntry,
  type BlobHealth,
  type BlobReader,
  type Blobs,
  type BlobWriter,
  BLOCK_BYTES,
  readAll,
  type Scratch,
  verify,
} from "./blobs.ts";
export { readAhead } from "./read_ahead.ts";
export {
  READ_CACHE_DEFAULTS,
  ReadCache,
  type ReadCacheOptions,
} from "./read_cache.ts";
export { WriteBehind, type WritePiece } from "./write_behind.ts";
export { MemoryBlobs, type MemoryBlobsOptions } from "./memory.ts";
