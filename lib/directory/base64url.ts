/** Bytes as text in a URL's alphabet, without padding (RFC 4648, section 5). */

/** The text of bytes. */
export function toBase64url(bytes: Uint8Array): string {
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
}

/** The bytes of a text; `undefined` unless it is exactly what {@link toBase64url} gives for them. */
export function fromBase64url(text: string): Uint8Array | undefined {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  return toBase64url(bytes) === text ? bytes : undefined;
}
