/**
 * Writing DER (ITU-T X.690), as far as the certificates of this project need it. There is no reader: nothing of ours ever
 * parses a certificate, the platform's TLS does.
 */
import { assert, concat, fromHex, utf8 } from "@tesseras/core";

/** SEQUENCE of encoded members, in order. */
export function sequence(...members: readonly Uint8Array[]): Uint8Array {
  return element(0x30, members);
}

/** SET of one encoded member; more would need sorting (X.690, 11.6). */
export function setOf(member: Uint8Array): Uint8Array {
  return element(0x31, [member]);
}

/** BOOLEAN true. False is never written: DER leaves defaults out. */
export function booleanTrue(): Uint8Array {
  return element(0x01, [Uint8Array.of(0xff)]);
}

/** Non-negative INTEGER from its big-endian bytes: leading zeros dropped, the sign bit kept clear (X.690, 8.3). */
export function integer(bigEndian: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bigEndian.length - 1 && bigEndian[from] === 0) from++;
  const digits = bigEndian.subarray(from);
  const needsSign = digits.length === 0 || digits[0]! >= 0x80;
  return element(0x02, needsSign ? [Uint8Array.of(0), digits] : [digits]);
}

/** BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array {
  return element(0x03, [Uint8Array.of(0), bytes]);
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Uint8Array {
  return element(0x04, [bytes]);
}

/** OBJECT IDENTIFIER from its encoded body in hexadecimal; our code names each where it is used. */
export function objectIdentifier(bodyHex: string): Uint8Array {
  return element(0x06, [fromHex(bodyHex)]);
}

/** UTF8String. */
export function utf8String(text: string): Uint8Array {
  return element(0x0c, [utf8(text)]);
}

/** UTCTime, `YYMMDDhhmmssZ`: the years 1950 to 2049 (RFC 5280, 4.1.2.5.1). */
export function utcTime(text: string): Uint8Array {
  return element(0x17, [utf8(text)]);
}

/** GeneralizedTime, `YYYYMMDDhhmmssZ` (RFC 5280, 4.1.2.5.2). */
export function generalizedTime(text: string): Uint8Array {
  return element(0x18, [utf8(text)]);
}

/** A member with an explicit context tag: the encoded value inside `[number]`. */
export function explicit(number: number, value: Uint8Array): Uint8Array {
  return element(0xa0 | number, [value]);
}

/** A text with an implicit primitive context tag, as in GeneralName. */
export function implicitText(number: number, text: string): Uint8Array {
  return element(0x80 | number, [utf8(text)]);
}

/** PEM (RFC 7468) of DER bytes. */
export function printPem(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${
    lines.join("\n")
  }\n-----END ${label}-----\n`;
}

function element(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([Uint8Array.of(tag, ...lengthBytes(body.length)), body]);
}

/** Definite length in the fewest bytes (X.690, 10.1). */
function lengthBytes(length: number): readonly number[] {
  assert(length <= 0xffff, "a certificate is under 64 KiB");
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return [0x82, length >> 8, length & 0xff];
}
