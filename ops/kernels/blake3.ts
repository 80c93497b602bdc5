/**
 * The BLAKE3 kernel as WebAssembly text. It knows blocks, chunks and parents; the tree is decided in
 * lib/crypto/blake3_engine.ts, which also lays out the memory.
 *
 * @module
 */
import { hash1 } from "./blake3_hash1.ts";
import { hash4 } from "./blake3_hash4.ts";
import { FLAGS, KEY_AT } from "./blake3_rounds.ts";
import { search } from "./blake3_search.ts";
import { call, func, get, i32, lines, or } from "./wat.ts";

const BLOCK_BYTES = 64;
const CHUNK_BYTES = 1024;

/** The module, with two pages of memory of its own. */
export function blake3Wat(): string {
  return lines([
    '(module (memory (export "memory") 2 2)',
    hash4(),
    hash1(),
    search(),
    entries(),
    ")",
  ]);
}

/** What the engine calls: many whole chunks, many parents, one chunk of any length, and output from one block. */
function entries(): string {
  const zero = i32(0);
  return lines([
    manyChunks(),
    entry("parents", ["at", "groups", "flags", "out"], [
      "hash4",
      get("at"),
      i32(BLOCK_BYTES),
      i32(1),
      get("groups"),
      zero,
      zero,
      zero,
      get("flags"),
      i32(FLAGS.parent),
      zero,
      get("out"),
    ]),
    entry(
      "chunk",
      ["at", "length", "counter", "counterHigh", "flags", "root"],
      [
        "hash1",
        i32(KEY_AT),
        get("at"),
        get("length"),
        get("counter"),
        get("counterHigh"),
        get("flags"),
        i32(FLAGS.chunkStart),
        or(get("root"), i32(FLAGS.chunkEnd)),
      ],
    ),
    entry("output", ["value", "at", "length", "counter", "flags"], [
      "hash1",
      get("value"),
      get("at"),
      get("length"),
      get("counter"),
      zero,
      get("flags"),
      zero,
      zero,
    ]),
  ]);
}

/** Four chunks at a time. */
function manyChunks(): string {
  return entry(
    "chunks",
    ["at", "groups", "counter", "counterHigh", "flags", "out"],
    [
      "hash4",
      get("at"),
      i32(CHUNK_BYTES),
      i32(CHUNK_BYTES / BLOCK_BYTES),
      get("groups"),
      get("counter"),
      get("counterHigh"),
      i32(1),
      get("flags"),
      i32(FLAGS.chunkStart),
      i32(FLAGS.chunkEnd),
      get("out"),
    ],
  );
}

function entry(
  name: string,
  params: readonly string[],
  [target, ...values]: readonly [string, ...string[]],
): string {
  return func({ name, exported: true, params }, [call(target, values)]);
}
