/** BLAKE3, the hash of everything: content, fragments, ids and derived keys. Section numbers are those of its paper. */
import { type Hash, hash, TesserasError, utf8 } from "@tesseras/core";
import { HASH_BYTES } from "@tesseras/core/limits";
import {
  CHUNK_BYTES,
  CONTEXT,
  engine,
  KEYED_FLAG,
  MATERIAL_FLAG,
  type Mode,
  PLAIN,
  WINDOW_BYTES,
} from "./blake3_engine.ts";
import { TreeHasher } from "./blake3_tree.ts";

/** Bytes {@link deriveKey} gives at most: no key is longer, and a wrong length should not fill the memory. */
export const DERIVED_BYTES_MAX = 64 * 1024;

/**
 * BLAKE3 of some bytes: 32 bytes.
 *
 * @example
 * ```ts
 * import { toHex, utf8 } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(toHex(blake3(utf8("abc"))).slice(0, 16), "6437b3ac38465133");
 * ```
 */
export function blake3(bytes: Uint8Array): Hash {
  return hash(output(bytes, PLAIN, HASH_BYTES));
}

/**
 * BLAKE3 of bytes that come in pieces of any size. Memory stays the same however many there are: 16 KiB, and a few
 * hundred bytes for the tree.
 *
 * @example
 * ```ts
 * import { utf8 } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(new Blake3().update(utf8("a")).update(utf8("bc")).digest(), blake3(utf8("abc")));
 * ```
 */
export class Blake3 {
  readonly #hasher = new TreeHasher(PLAIN);

  /** Takes the next bytes; borrows them only during the call. */
  update(bytes: Uint8Array): this {
    this.#hasher.update(bytes);
    return this;
  }

  /** The hash of all bytes so far: 32 bytes. More may follow. */
  digest(): Hash {
    return hash(this.#hasher.output(HASH_BYTES));
  }
}

/**
 * BLAKE3 with a key (2.3, `keyed_hash`): a message authentication code of 32 bytes.
 *
 * @throws `unusable` unless the key has 32 bytes
 */
export function blake3Keyed(key: Uint8Array, bytes: Uint8Array): Hash {
  if (key.length !== HASH_BYTES) {
    throw new TesserasError(
      "unusable",
      `Cannot hash with a key: it has ${key.length} bytes, wanted ${HASH_BYTES}`,
    );
  }
  const made = hash(output(bytes, { key, flags: KEYED_FLAG }, HASH_BYTES));
  engine().wipe();
  return made;
}

/**
 * Derives a key from key material (2.3, `derive_key`). The context is a constant of the program, globally unique, that
 * says what the key is for; different contexts give independent keys.
 *
 * @param byteCount bytes wanted, 32 unless told
 * @throws `unusable` unless `byteCount` is 1 to {@link DERIVED_BYTES_MAX}
 */
export function deriveKey(
  context: string,
  material: Uint8Array,
  byteCount: number = HASH_BYTES,
): Uint8Array {
  if (
    !Number.isInteger(byteCount) || byteCount < 1 ||
    byteCount > DERIVED_BYTES_MAX
  ) {
    throw new TesserasError(
      "unusable",
      `Cannot derive a key: ${byteCount} bytes asked, wanted 1 to ${DERIVED_BYTES_MAX}`,
    );
  }
  const key = output(utf8(context), CONTEXT, HASH_BYTES);
  const made = output(material, { key, flags: MATERIAL_FLAG }, byteCount);
  engine().wipe();
  return made;
}

function output(bytes: Uint8Array, mode: Mode, outBytes: number): Uint8Array {
  if (bytes.length <= CHUNK_BYTES) {
    return engine().rootOfChunk(bytes, mode, outBytes);
  }
  if (bytes.length <= WINDOW_BYTES) {
    return engine().rootOfWindow(bytes, mode, outBytes);
  }
  const hasher = new TreeHasher(mode);
  hasher.update(bytes);
  return hasher.output(outBytes);
}
