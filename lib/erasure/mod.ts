/**
 * Reed-Solomon erasure coding of windows of bytes, synchronous and without a limit on how many windows follow each
 * other.
 *
 * @module
 */
export { type KernelName, KERNELS, runs } from "./product.ts";
export {
  type CodingOptions,
  DATA_SHARDS_MAX,
  Decoder,
  type DecoderPlan,
  Encoder,
  type Shape,
  SHARDS_MAX,
} from "./reed_solomon.ts";
