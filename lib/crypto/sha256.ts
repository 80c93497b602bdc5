/** SHA-256 (FIPS 180-4), for checksum lists that other tools read. Never an identity: that is BLAKE3. */
import { createHash } from "node:crypto";

/**
 * SHA-256 of some bytes: 32 bytes.
 *
 * @example
 * ```ts
 * import { toHex, utf8 } from "@tesseras/core";
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(toHex(sha256(utf8("abc"))).slice(0, 16), "ba7816bf8f01cfea");
 * ```
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Sha256().update(bytes).digest();
}

/** SHA-256 of bytes that come in pieces of any size, in constant memory. */
export class Sha256 {
  readonly #hash = createHash("sha256");

  /** Takes the next bytes; borrows them only during the call. */
  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The hash of all bytes so far: 32 bytes. More may follow. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hash.copy().digest());
  }
}
