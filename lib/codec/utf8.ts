/** Whether bytes are UTF-8, found without building the text. */

/**
 * The offset of the first byte in `[from, to)` that cannot stand in UTF-8 there, or -1 when all can
 * (Unicode 16, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export function findBrokenUtf8(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let at = from;
  while (at < to) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      at++;
      continue;
    }
    const followers = followersOf(lead);
    if (followers === 0) return at;
    // Only the first follower's range depends on the lead: that is where overlong forms and surrogates hide.
    let low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    for (let step = 1; step <= followers; step++) {
      const byte = bytes[at + step]!;
      if (at + step >= to || byte < low || byte > high) return at;
      low = 0x80;
      high = 0xbf;
    }
    at += followers + 1;
  }
  return -1;
}

/** How many bytes follow a lead byte; 0 for a byte that leads nothing. */
function followersOf(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  return 0;
}
