/** Public keys as PEM (RFC 7468): the form that `openssl` reads. */
import { concat, equal, fromHex, TesserasError, utf8 } from "@tesseras/core";
import { ED25519_KEY_BYTES, ML_DSA_KEY_BYTES } from "@tesseras/core/limits";

/** Which key a PEM file holds. */
export type PemKind = "ed25519" | "mlDsa65";

type SpkiForm = {
  readonly name: string;
  /** DER of the SubjectPublicKeyInfo up to the key itself, which is always the last bytes. */
  readonly head: Uint8Array;
  readonly keyBytes: number;
};

const FORMS: Readonly<Record<PemKind, SpkiForm>> = {
  ed25519: {
    name: "Ed25519",
    // SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING } (RFC 8410, 4)
    head: fromHex("302a300506032b6570032100"),
    keyBytes: ED25519_KEY_BYTES,
  },
  mlDsa65: {
    name: "ML-DSA-65",
    // SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.3.18 }, BIT STRING } (RFC 9881, 4)
    head: fromHex("308207b2300b0609608648016503040312038207a100"),
    keyBytes: ML_DSA_KEY_BYTES,
  },
};

const BEGIN = "-----BEGIN PUBLIC KEY-----\n";
const END = "-----END PUBLIC KEY-----\n";
/** Characters of base64 in a line (RFC 7468, 2). */
const LINE_CHARS = 64;

/** The PEM text of a public key, ASCII with LF line ends. */
export function printPublicKeyPem(
  kind: PemKind,
  publicKey: Uint8Array,
): Uint8Array {
  const base64 = concat([FORMS[kind].head, publicKey]).toBase64();
  let text = BEGIN;
  for (let at = 0; at < base64.length; at += LINE_CHARS) {
    text += base64.slice(at, at + LINE_CHARS) + "\n";
  }
  return utf8(text + END);
}

/**
 * The raw public key of a PEM file. Only the form that {@link printPublicKeyPem} and `openssl` write is read: one
 * key has one spelling, so that nothing can hide in white space.
 *
 * @throws `malformed` for anything else
 */
export function parsePublicKeyPem(
  kind: PemKind,
  pem: Uint8Array,
): Uint8Array {
  const { name, head, keyBytes } = FORMS[kind];
  const key = derOf(pem)?.slice(head.length);
  if (
    key === undefined || key.length !== keyBytes ||
    !equal(printPublicKeyPem(kind, key), pem)
  ) {
    throw new TesserasError(
      "malformed",
      `Cannot read public key: ${pem.length} bytes are no PEM of an ${name} key`,
    );
  }
  return key;
}

/** The bytes between the two marks, or `undefined`; re-printing decides whether they were written as they must be. */
function derOf(pem: Uint8Array): Uint8Array | undefined {
  const longest = FORMS.mlDsa65.head.length + ML_DSA_KEY_BYTES;
  if (pem.length > BEGIN.length + END.length + 2 * longest) return undefined;
  const text = new TextDecoder().decode(pem);
  if (!text.startsWith(BEGIN) || !text.endsWith(END)) return undefined;
  try {
    return Uint8Array.fromBase64(text.slice(BEGIN.length, -END.length));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
