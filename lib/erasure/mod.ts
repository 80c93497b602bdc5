/**
 * Reed-Solomon erasure coding of windows of bytes, synchronous and without a limit on how many windows follow each
 * other; and of whole shards, row by row. Threads for the latter have an entry of their own, `@tesseras/erasure/pool`.
 *
 * @module
 */
export { type KernelName, KERNELS, runs } from "./product.ts";
export {
  type CodingOptions,
  Decoder,
  type DecoderPlan,
  Encoder,
} from "./reed_solomon.ts";
export {
  type CodedRow,
  codeHere,
  type EmptyRow,
  type RowCoder,
  type RowJob,
  type RowTask,
  WINDOW_BYTES_DEFAULT,
} from "./rows.ts";
export { DATA_SHARDS_MAX, type Shape, SHARDS_MAX } from "./shape.ts";
