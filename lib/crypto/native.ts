/** The platform's own ML-DSA-65: an adapter, imported by programs and tests only. */
import { ML_DSA_KEY_BYTES } from "@tesseras/core/limits";
import { hasMlDsaLengths, type MlDsaSuite, nobleMlDsa } from "./ml_dsa.ts";

const ALGORITHM = { name: "ML-DSA-65" };

/** Verification through WebCrypto where it knows ML-DSA-65, and {@link nobleMlDsa} where it does not. */
export async function nativeMlDsa(): Promise<MlDsaSuite> {
  const probe = await importKey(new Uint8Array(ML_DSA_KEY_BYTES));
  return probe === undefined ? nobleMlDsa : { verify };
}

async function verify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (!hasMlDsaLengths(publicKey, signature)) return false;
  const key = await importKey(publicKey);
  return key !== undefined && await crypto.subtle.verify(
    ALGORITHM,
    key,
    signature as BufferSource,
    message as BufferSource,
  );
}

async function importKey(
  publicKey: Uint8Array,
): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey(
      // FIPS 204 keys came to WebCrypto after the type declarations were written.
      "raw-public" as "raw",
      publicKey as BufferSource,
      ALGORITHM,
      false,
      ["verify"],
    );
  } catch (error) {
    // An unknown format or algorithm, or bytes that are no key. Anything else is a fault we must not hide.
    const known = error instanceof TypeError ||
      error instanceof DOMException &&
        (error.name === "NotSupportedError" || error.name === "DataError");
    if (known) return undefined;
    throw error;
  }
}
