import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import fc from "fast-check";
import { isIPv6 } from "node:net";
import {
  canonicalIp,
  formatAddress,
  hostNetworkOf,
  isPrivateIp,
  parseAddress,
  splitHostPort,
  subnetOf,
} from "./address.ts";

const ipv6 = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })),
  { minLength: 8, maxLength: 8 },
);

Deno.test("canonicalIp() writes IPv6 as RFC 5952 wants", () => {
  const forms: readonly (readonly [string, string])[] = [
    // 4.1 to 4.3: no leading zeros, the longest run shortened, the first of equals, one group never, lower case
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::A", "2001:db8::a"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [from, to] of forms) assertEquals(canonicalIp(from), to);
});

Deno.test("canonicalIp() makes mapped addresses IPv4, so that nobody counts as two", () => {
  assertEquals(canonicalIp("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(canonicalIp("0:0:0:0:0:FFFF:c000:0201"), "192.0.2.1");
  assertEquals(canonicalIp("::ffff:0:0"), "0.0.0.0");
  assertEquals(canonicalIp("::fffe:192.0.2.1"), "::fffe:c000:201");
});

Deno.test("canonicalIp() knows what is no address", () => {
  for (
    const text of [
      "",
      "fe80::1%eth0",
      "1.2.3",
      "1.2.3.4.5",
      "01.2.3.4",
      "1.2.3.256",
      "::1::",
      "1:2:3:4:5:6:7:8:9",
      "12345::",
      "[::1]",
      "localhost",
      "::ffff:1.2.3.4.5",
      "1.2.3.4\n",
    ]
  ) assertEquals(canonicalIp(text), undefined, text);
});

Deno.test("canonicalIp() has one form for every spelling, and it reads back", () => {
  fc.assert(fc.property(ipv6, fc.boolean(), (groups, isUpper) => {
    const long = groups.map((g) => g.toString(16).padStart(4, "0")).join(":");
    const text = isUpper ? long.toUpperCase() : long;
    const canonical = canonicalIp(text);
    assertTrue(canonical !== undefined);
    assertEquals(canonicalIp(canonical), canonical);
    if (!isIPv6(canonical)) return;
    // The URL parser follows the same rule (WHATWG URL, 4.5).
    assertEquals(`[${canonical}]`, new URL(`http://[${text}]`).hostname);
  }));
});

Deno.test("addresses read back as they were written", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.ipV4(),
      ipv6.map((g) => g.map((n) => n.toString(16)).join(":")),
    ),
    fc.integer({ min: 0, max: 65535 }),
    (text, port) => {
      const address = { ip: canonicalIp(text)!, port };
      assertEquals(parseAddress(formatAddress(address)), address);
    },
  ));
  assertEquals(formatAddress({ ip: "::1", port: 4433 }), "[::1]:4433");
});

Deno.test("parseAddress() wants an IP literal and a port", () => {
  for (
    const text of [
      "",
      "1.2.3.4",
      "1.2.3.4:",
      "1.2.3.4:65536",
      "1.2.3.4:-1",
      "1.2.3.4:1e3",
      "1.2.3.4:123456",
      "::1:80",
      "[::1]",
      "[::1%lo]:80",
      "[1.2.3.4]:x",
      "example.org:80",
      " 1.2.3.4:80",
      "1.2.3.4:80\n",
      "x".repeat(10_000),
    ]
  ) assertThrowsCode(() => parseAddress(text), "malformed");
});

Deno.test("splitHostPort() takes names, and no name with spaces, controls or marks of its own", () => {
  assertEquals(splitHostPort("boot1.example.org:4433"), {
    host: "boot1.example.org",
    port: 4433,
  });
  assertEquals(splitHostPort("[2001:db8::1]:0"), {
    host: "2001:db8::1",
    port: 0,
  });
  for (
    const text of [
      "a b:1",
      "a\n:1",
      "a\0:1",
      "id@host:1",
      "a/b:1",
      ":1",
      "a:b:1",
    ]
  ) assertThrowsCode(() => splitHostPort(text), "malformed");
});

Deno.test("a refusal quotes no more than the beginning of what it refuses", () => {
  try {
    splitHostPort("\n".repeat(100_000));
  } catch (error) {
    assertTrue(error instanceof Error && error.message.length < 300);
    assertTrue(!error.message.includes("\n"));
  }
});

Deno.test("subnets are /24 and /48, host networks one address or /64", () => {
  assertEquals(subnetOf("192.0.2.77"), "192.0.2.0/24");
  assertEquals(subnetOf("2001:db8:1:2:3::4"), "2001:db8:1::/48");
  assertEquals(subnetOf("::1"), "0:0:0::/48");
  assertEquals(hostNetworkOf("192.0.2.77"), "192.0.2.77");
  assertEquals(hostNetworkOf("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
  fc.assert(fc.property(ipv6, ipv6, (a, b) => {
    const [ipA, ipB] = [a, b].map((groups) =>
      canonicalIp(groups.map((g) => g.toString(16)).join(":"))!
    ) as [string, string];
    if (!isIPv6(ipA) || !isIPv6(ipB)) return;
    const sharesSubnet = a.slice(0, 3).join() === b.slice(0, 3).join();
    assertEquals(subnetOf(ipA) === subnetOf(ipB), sharesSubnet);
  }));
});

Deno.test("isPrivateIp() ends where each private range ends", () => {
  const inside = [
    ["0.0.0.0", "0.255.255.255"],
    ["10.0.0.0", "10.255.255.255"],
    ["100.64.0.0", "100.127.255.255"],
    ["127.0.0.1", "127.255.255.255"],
    ["169.254.0.0", "169.254.255.255"],
    ["172.16.0.0", "172.31.255.255"],
    ["192.168.0.0", "192.168.255.255"],
    ["::", "::1"],
    ["fc00::", "fdff:ffff::1"],
    ["fe80::", "febf::1"],
  ];
  const outside = [
    ["9.255.255.255", "11.0.0.0"],
    ["100.63.255.255", "100.128.0.0"],
    ["126.255.255.255", "128.0.0.0"],
    ["169.253.255.255", "169.255.0.0"],
    ["172.15.255.255", "172.32.0.0"],
    ["192.167.255.255", "192.169.0.0"],
    ["1::", "fbff::1"],
    ["fe00::", "fec0::"],
    ["2001:db8::1", "2a01:4f8::1"],
  ];
  for (const ip of inside.flat()) assertTrue(isPrivateIp(ip), ip);
  for (const ip of outside.flat()) assertTrue(!isPrivateIp(ip), ip);
});
