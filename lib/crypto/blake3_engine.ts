/**
 * The BLAKE3 kernel and its scratch memory, shared by everything in the process: calls are synchronous and leave
 * nothing behind that a later one reads. Section numbers are those of the BLAKE3 paper.
 */
import { BLAKE3_KERNEL } from "./blake3_kernel.ts";

/** Bytes of a chunk (2.1). */
export const CHUNK_BYTES = 1024;
/** Bytes of a block (2.1). */
export const BLOCK_BYTES = 64;
/** Bytes of a chaining value (2.1). */
export const VALUE_BYTES = 32;
/** Bytes hashed in one go: 64 chunks, which stay in a core's second cache between copying and hashing. */
export const WINDOW_BYTES = 64 * CHUNK_BYTES;

/** The flag of a tree's topmost node (2.3, table 3). The flags of chunks and parents are the kernel's own business. */
const ROOT = 8;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;

/** One of the three modes (2.3): the key words every chunk starts from, and the flag that goes with them. */
export type Mode = { readonly key: Uint8Array; readonly flags: number };

/** The initial chaining value of the plain mode, little-endian: that of SHA-256 (2.2, table 1). */
const INITIAL = Uint8Array.fromHex(
  "67e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b",
);
/** Hashing without a key. */
export const PLAIN: Mode = { key: INITIAL, flags: 0 };
/** The flag of hashing with a key of the caller's. */
export const KEYED_FLAG = 16;
/** Hashing the context of a derived key. */
export const CONTEXT: Mode = { key: INITIAL, flags: 32 };
/** The flag of hashing key material under a hashed context. */
export const MATERIAL_FLAG = 64;

// Where things lie in the kernel's memory; ops/kernels/blake3_rounds.ts knows the first three. Groups of four read and
// write past their last input, so every region has room for three more chunks or chaining values.
const KEY_AT = 0;
const OUT_AT = 32;
const LAST_VALUE_AT = 96;
const NODE_AT = 128;
const VALUES_AT = 256;
const VALUES_BYTES = (WINDOW_BYTES / CHUNK_BYTES + 4) * VALUE_BYTES;
const INPUT_AT = VALUES_AT + 2 * VALUES_BYTES;
const USED_BYTES = INPUT_AT + WINDOW_BYTES;

type Exports = {
  readonly memory: WebAssembly.Memory;
  readonly chunks: (
    at: number,
    groups: number,
    counter: number,
    counterHigh: number,
    flags: number,
    out: number,
  ) => void;
  readonly parents: (
    at: number,
    groups: number,
    flags: number,
    out: number,
  ) => void;
  readonly chunk: (
    at: number,
    length: number,
    counter: number,
    counterHigh: number,
    flags: number,
    root: number,
  ) => void;
  readonly output: (
    value: number,
    at: number,
    length: number,
    counter: number,
    flags: number,
  ) => void;
  readonly search: (
    at: number,
    high: number,
    low: number,
    groups: number,
    mask: number,
  ) => number;
};

/** Which subtree, how far to climb, and where its chaining values go. */
export type Place = {
  readonly firstChunk: number;
  readonly keep: 1 | 2;
  readonly values: Uint8Array;
  readonly at: number;
};

/** `4 * groups` nonces from `high * 2^32 + low` on; where the low half wraps, results mean nothing. */
export type NonceRange = {
  readonly high: number;
  readonly low: number;
  readonly groups: number;
};

let shared: Engine | undefined;

/** The engine of this process; the first call compiles the kernel. */
export function engine(): Engine {
  return shared ??= new Engine();
}

/** Hashes inputs of at most {@link WINDOW_BYTES} and the nodes above them. Borrows its arguments; results are fresh. */
export class Engine {
  readonly #memory: Uint8Array;
  readonly #kernel: Exports;
  #mode: Mode | undefined;

  constructor() {
    const module = new WebAssembly.Module(Uint8Array.fromBase64(BLAKE3_KERNEL));
    // The platform leaves exports untyped; these are the ones ops/kernels/blake3.ts declares.
    this.#kernel = new WebAssembly.Instance(module)
      .exports as unknown as Exports;
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /** The output of a whole input of at most one chunk. */
  rootOfChunk(bytes: Uint8Array, mode: Mode, outBytes: number): Uint8Array {
    this.#load(bytes, mode);
    this.#chunk(INPUT_AT, bytes.length, { index: 0, mode, root: ROOT });
    if (outBytes <= BLOCK_BYTES) return this.#out(outBytes);
    const before = Math.max(0, Math.ceil(bytes.length / BLOCK_BYTES) - 1) *
      BLOCK_BYTES;
    return this.#extend(outBytes, {
      value: LAST_VALUE_AT,
      at: INPUT_AT + before,
      length: bytes.length - before,
      flags: mode.flags | CHUNK_END | ROOT | (before === 0 ? CHUNK_START : 0),
    });
  }

  /** The output of a whole input of more than one chunk and at most {@link WINDOW_BYTES}. */
  rootOfWindow(bytes: Uint8Array, mode: Mode, outBytes: number): Uint8Array {
    const at = this.#climb(bytes, mode, { firstChunk: 0, keep: 2 });
    this.#memory.copyWithin(NODE_AT, at, at + BLOCK_BYTES);
    return this.#rootOfNode(mode, outBytes);
  }

  /** The output of an input whose two topmost subtrees have the first two chaining values. */
  rootOfPair(values: Uint8Array, mode: Mode, outBytes: number): Uint8Array {
    for (let i = 0; i < BLOCK_BYTES; i++) {
      this.#memory[NODE_AT + i] = values[i]!;
    }
    return this.#rootOfNode(mode, outBytes);
  }

  /** Replaces two neighbouring chaining values by that of the node above them, which takes the left one's place. */
  parent(values: Uint8Array, at: number, mode: Mode): void {
    this.#use(mode);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      this.#memory[NODE_AT + i] = values[at + i]!;
    }
    const flags = mode.flags | PARENT;
    this.#kernel.output(KEY_AT, NODE_AT, BLOCK_BYTES, 0, flags);
    for (let i = 0; i < VALUE_BYTES; i++) {
      values[at + i] = this.#memory[OUT_AT + i]!;
    }
  }

  /**
   * Hashes 1 to {@link WINDOW_BYTES} bytes that are a subtree, and writes the chaining values of its topmost nodes,
   * from left to right, where `place` says: two, or one when that is all to keep or there is only one chunk.
   */
  subtree(bytes: Uint8Array, mode: Mode, place: Place): void {
    const from = this.#climb(bytes, mode, place);
    const { keep, values, at } = place;
    const length = bytes.length > CHUNK_BYTES
      ? keep * VALUE_BYTES
      : VALUE_BYTES;
    for (let i = 0; i < length; i++) values[at + i] = this.#memory[from + i]!;
  }

  /**
   * How many nonces of `range` come before the first for which BLAKE3(prefix || nonce as eight big-endian bytes) has
   * no bit of `mask` in its first little-endian word; `4 * groups` when there is none. The prefix has 32 bytes.
   */
  search(prefix: Uint8Array, range: NonceRange, mask: number): number {
    this.#memory.set(prefix, INPUT_AT);
    const { high, low, groups } = range;
    return this.#kernel.search(INPUT_AT, high, low, groups, mask);
  }

  /** Forgets what hashing secrets left in the scratch memory. */
  wipe(): void {
    this.#memory.fill(0, 0, USED_BYTES);
    this.#mode = undefined;
  }

  /** Hashes a subtree until at most `keep` chaining values are left; returns where they lie in the memory. */
  #climb(
    bytes: Uint8Array,
    mode: Mode,
    { firstChunk, keep }: Pick<Place, "firstChunk" | "keep">,
  ): number {
    this.#load(bytes, mode);
    let count = this.#chunks(bytes.length, firstChunk, mode);
    let from = VALUES_AT;
    let to = VALUES_AT + VALUES_BYTES;
    while (count > keep) {
      // Neighbours become parents and an odd one climbs as it is. That gives the tree of 2.1, where the left side of
      // every node is the largest full tree that leaves something for the right.
      const pairs = count >>> 1;
      this.#kernel.parents(from, Math.ceil(pairs / 4), mode.flags, to);
      if (count % 2 === 1) {
        this.#copyValue(
          from + 2 * pairs * VALUE_BYTES,
          to + pairs * VALUE_BYTES,
        );
      }
      count -= pairs;
      [from, to] = [to, from];
    }
    return from;
  }

  #load(bytes: Uint8Array, mode: Mode): void {
    this.#use(mode);
    this.#memory.set(bytes, INPUT_AT);
  }

  #use(mode: Mode): void {
    if (this.#mode === mode) return;
    this.#memory.set(mode.key, KEY_AT);
    this.#mode = mode;
  }

  /** Chaining values of the chunks in the window; returns how many. */
  #chunks(length: number, firstChunk: number, mode: Mode): number {
    const whole = Math.floor(length / CHUNK_BYTES);
    const groups = Math.ceil(whole / 4);
    // A window begins at a multiple of its own size, so the high half is the same for all of its chunks.
    const high = Math.floor(firstChunk / 2 ** 32);
    this.#kernel.chunks(
      INPUT_AT,
      groups,
      firstChunk,
      high,
      mode.flags,
      VALUES_AT,
    );
    const rest = length - whole * CHUNK_BYTES;
    if (rest === 0) return whole;
    const at = INPUT_AT + whole * CHUNK_BYTES;
    this.#chunk(at, rest, { index: firstChunk + whole, mode, root: 0 });
    this.#copyValue(OUT_AT, VALUES_AT + whole * VALUE_BYTES);
    return whole + 1;
  }

  #chunk(
    at: number,
    length: number,
    { index, mode, root }: {
      readonly index: number;
      readonly mode: Mode;
      readonly root: number;
    },
  ): void {
    // The last block is padded with zeros (2.4); an empty input is one block of them.
    const padded = Math.max(1, Math.ceil(length / BLOCK_BYTES)) * BLOCK_BYTES;
    this.#memory.fill(0, at + length, at + padded);
    const high = Math.floor(index / 2 ** 32);
    this.#kernel.chunk(at, length, index, high, mode.flags, root);
  }

  #rootOfNode(mode: Mode, outBytes: number): Uint8Array {
    this.#use(mode);
    const flags = mode.flags | PARENT | ROOT;
    this.#kernel.output(KEY_AT, NODE_AT, BLOCK_BYTES, 0, flags);
    if (outBytes <= BLOCK_BYTES) return this.#out(outBytes);
    return this.#extend(outBytes, {
      value: KEY_AT,
      at: NODE_AT,
      length: BLOCK_BYTES,
      flags,
    });
  }

  /** Output of any length (2.6): the last compression again and again, counting blocks. */
  #extend(
    outBytes: number,
    { value, at, length, flags }: {
      readonly value: number;
      readonly at: number;
      readonly length: number;
      readonly flags: number;
    },
  ): Uint8Array {
    const out = new Uint8Array(outBytes);
    for (let block = 0; block * BLOCK_BYTES < outBytes; block++) {
      this.#kernel.output(value, at, length, block, flags);
      const from = block * BLOCK_BYTES;
      out.set(this.#out(Math.min(BLOCK_BYTES, outBytes - from)), from);
    }
    return out;
  }

  #out(length: number): Uint8Array {
    return this.#memory.slice(OUT_AT, OUT_AT + length);
  }

  #copyValue(from: number, to: number): void {
    this.#memory.copyWithin(to, from, from + VALUE_BYTES);
  }
}
