/** Addresses on the wire: one text each, in one form each, and only such as packets may be sent to. */
import { type Address, formatAddress, parseAddress } from "@tesseras/core";
import type { Field } from "@tesseras/codec";

/** Bytes of an address as text: the longest is `[` + 39 of IPv6 + `]:65535`. */
const ADDRESS_TEXT_BYTES_MAX = 47;

/**
 * Reads `1.2.3.4:4433` or `[2001:db8::1]:4433`.
 *
 * @throws `malformed` for another form of the same address (RFC 5952), port 0, and what is no single host: unspecified,
 *   multicast and broadcast addresses, with which a record could aim our packets at many machines at once
 */
export function readAddress(field: Field): Address {
  const text = field.text(ADDRESS_TEXT_BYTES_MAX);
  const address = parseAddress(text);
  if (formatAddress(address) !== text) {
    field.refuse(`the address as ${formatAddress(address)}`);
  }
  if (!isDialable(address)) field.refuse("an address of one host with a port");
  return address;
}

/** Whether packets to the address reach one host at most. */
export function isDialable(address: Address): boolean {
  if (address.port === 0) return false;
  if (address.ip.includes(":")) {
    return address.ip !== "::" && !/^ff[0-9a-f]{2}:/.test(address.ip);
  }
  const first = Number(address.ip.split(".")[0]);
  // 0/8 is "this network", 224/4 multicast, 240/4 reserved with the broadcast address at its end (RFC 1122, 5771, 1112).
  return first !== 0 && first < 224;
}
