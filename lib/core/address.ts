/** Network addresses: an IP literal and a UDP port, and the subnet two addresses may share. */
import { isIPv4, isIPv6 } from "node:net";
import { TesserasError } from "./error.ts";

/** Where packets go. `ip` is an IPv4 literal or a lower-case IPv6 literal without brackets. */
export type Address = { readonly ip: string; readonly port: number };

/** `1.2.3.4:4433` or `[2001:db8::1]:4433`. */
export function formatAddress(address: Address): string {
  return address.ip.includes(":")
    ? `[${address.ip}]:${address.port}`
    : `${address.ip}:${address.port}`;
}

/** @throws `malformed` unless the text is `IPv4:port` or `[IPv6]:port` with a port of 0 to 65535 */
export function parseAddress(text: string): Address {
  const { host, port } = splitHostPort(text);
  const ip = canonicalIp(host);
  if (ip === undefined) {
    throw new TesserasError(
      "malformed",
      `Cannot read address ${JSON.stringify(text.slice(0, 80))}: no IP literal`,
    );
  }
  return { ip, port };
}

/**
 * Splits `host:port`, where host may be a name, an IPv4 literal or a bracketed IPv6 literal.
 *
 * @throws `malformed` without a host or a port of 0 to 65535
 */
export function splitHostPort(
  text: string,
): { readonly host: string; readonly port: number } {
  // A name has no spaces, controls or "@": "id@host" must not pass as the name of a host.
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s\p{Cc}:[\]@/]+)):(\d{1,5})$/u
    .exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65535)) {
    throw new TesserasError(
      "malformed",
      `Cannot read address ${
        JSON.stringify(text.slice(0, 80))
      }: wanted host:port or [ipv6]:port`,
    );
  }
  return { host, port };
}

/** The IP in the form we compare: IPv4-mapped IPv6 becomes IPv4, IPv6 lower-case; `undefined` when it is no IP. */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const groups = ipv6Groups(text);
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) {
    const [high, low] = [groups[6]!, groups[7]!];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return compressIpv6(groups);
}

/** The network an address belongs to for diversity rules: /24 of IPv4, /48 of IPv6. Takes what {@link canonicalIp} gives. */
export function subnetOf(ip: string): string {
  if (!ip.includes(":")) return ip.slice(0, ip.lastIndexOf(".")) + ".0/24";
  const groups = ipv6Groups(ip).slice(0, 3);
  return groups.map((g) => g.toString(16)).join(":") + "::/48";
}

/** The network one machine or household answers for: the address itself for IPv4, the /64 for IPv6, whose owner has 2^64 addresses. Takes what {@link canonicalIp} gives. */
export function hostNetworkOf(ip: string): string {
  if (!ip.includes(":")) return ip;
  const groups = ipv6Groups(ip).slice(0, 4);
  return groups.map((g) => g.toString(16)).join(":") + "::/64";
}

/** Whether an address can only be reached from this machine or its local network (RFC 1122, 1918, 3927, 4193, 4291, 6598). Takes what {@link canonicalIp} gives. */
export function isPrivateIp(ip: string): boolean {
  if (isIPv4(ip)) {
    const [a, b] = ip.split(".").map(Number) as [number, number];
    return a === 10 || a === 127 || a === 0 || (a === 169 && b === 254) ||
      (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) ||
      (a === 100 && b >= 64 && b < 128);
  }
  const first = ipv6Groups(ip);
  return first.slice(0, 7).every((g) => g === 0) ||
    (first[0]! & 0xfe00) === 0xfc00 || (first[0]! & 0xffc0) === 0xfe80;
}

function ipv6Groups(text: string): readonly number[] {
  let full = text;
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (v4) {
    const [a, b, c, d] = v4.slice(2).map(Number) as [
      number,
      number,
      number,
      number,
    ];
    full = `${v4[1]}${((a << 8) | b).toString(16)}:${
      ((c << 8) | d).toString(16)
    }`;
  }
  const [head, tail] = full.split("::");
  const left = (head ?? "").split(":").filter((g) => g !== "");
  const right = (tail ?? "").split(":").filter((g) => g !== "");
  const zeros = full.includes("::") ? 8 - left.length - right.length : 0;
  return [...left, ...Array<string>(zeros).fill("0"), ...right]
    .map((g) => Number.parseInt(g, 16));
}

/** RFC 5952: lower case, longest run of zero groups (at least two) shortened. */
function compressIpv6(groups: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const text = (part: readonly number[]) =>
    part.map((g) => g.toString(16)).join(":");
  if (best.at < 0) return text(groups);
  return `${text(groups.slice(0, best.at))}::${
    text(groups.slice(best.at + best.length))
  }`;
}
