/** Which addresses a node may have in the eyes of others. */
import { type Address, canonicalIp, isPrivateIp } from "@tesseras/core";

/** Where a network's nodes live: all over the Internet, or in a lab or cluster on private addresses, by configuration alone. */
export type Realm = "internet" | "lab";

/** A family of addresses: a node has one outer address in each, and what is learned of one says nothing of the other. */
export type Family = 4 | 6;

/** The family of an address. */
export function familyOf({ ip }: Pick<Address, "ip">): Family {
  return ip.includes(":") ? 6 : 4;
}

/**
 * Whether a node of this realm may be reached at the address. A report of any other is a lie or a mistake, and to punch at one would
 * be to knock in our own network, or at many machines at once, for somebody else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@tesseras/testing";
 * assertEquals(isPlausible({ ip: "192.168.1.7", port: 4433 }, "internet"), false);
 * assertEquals(isPlausible({ ip: "192.168.1.7", port: 4433 }, "lab"), true);
 * ```
 */
export function isPlausible(address: Address, realm: Realm): boolean {
  const { ip, port } = address;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return false;
  // Another spelling of the same address would count as disagreement.
  if (canonicalIp(ip) !== ip || !isOneHost(ip)) return false;
  return realm === "lab" || !(isPrivateIp(ip) || isReserved(ip));
}

/** Not unspecified, multicast, broadcast or of no use (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2 and 2.7). */
function isOneHost(ip: string): boolean {
  if (familyOf({ ip }) === 6) {
    return ip !== "::" && !/^ff[0-9a-f]{2}:/.test(ip);
  }
  const first = Number(ip.split(".")[0]);
  return first !== 0 && first < 224;
}

/** Public by its look, and routed to nobody: benchmarks (RFC 2544), old site-local and discard addresses (RFC 3879, 6666). */
function isReserved(ip: string): boolean {
  if (familyOf({ ip }) === 6) return /^(?:fe[c-f][0-9a-f]|100):/.test(ip);
  return /^198\.1[89]\./.test(ip);
}
