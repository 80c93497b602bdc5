/** What a fuzz target is: a reader of untrusted bytes, and what it promises. */
import type { ErrorCode } from "@tesseras/core";

/** One reader under fuzzing. */
export type FuzzTarget = {
  /** Folder and reader, such as `wire/decodeMessage`. */
  readonly name: string;
  /** Inputs to start from: good ones reach further than noise. */
  readonly corpus: readonly Uint8Array[];
  /** Every code it may refuse with; anything else it throws is a find. */
  readonly refuses: readonly ErrorCode[];
  /**
   * Whether an accepted input is written back byte for byte. Readers that ignore unknown fields do not; for them what is
   * written back must read and write to itself.
   */
  readonly isExact: boolean;
  /** Reads the bytes and writes what it read back. Must leave the argument as it was. */
  readonly rewrite: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** Bytes of memory that reading and writing may take for one of input; {@link ALLOCATED_PER_BYTE} unless given. */
  readonly allocatedPerByte?: number;
  /** Bytes of memory that it may take whatever the input; {@link ALLOCATED_BYTES} unless given. */
  readonly allocatedBytes?: number;
};

/** What reading may take whatever the input: errors with their stacks, and what the engine compiles meanwhile. */
export const ALLOCATED_BYTES = 1 << 20;
/** What reading and writing may take for a byte of input: a decoder that lists each byte as an object takes this much. */
export const ALLOCATED_PER_BYTE = 64;
