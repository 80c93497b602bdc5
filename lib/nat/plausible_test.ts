import { assertEquals } from "@tesseras/testing";
import { isPlausible, type Realm } from "./plausible.ts";

function plausible(realm: Realm, ip: string, port = 4433): boolean {
  return isPlausible({ ip, port }, realm);
}

Deno.test("takes public addresses of both families for plausible", () => {
  for (
    const ip of [
      "93.184.216.34",
      "1.1.1.1",
      "2606:2800:220:1::7",
      "223.255.255.1",
    ]
  ) {
    assertEquals([plausible("internet", ip), plausible("lab", ip)], [
      true,
      true,
    ], ip);
  }
});

Deno.test("takes private, loopback and shared addresses for plausible in a lab alone", () => {
  for (
    const ip of [
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "127.0.0.1",
      "169.254.1.1",
      "100.64.0.1",
      "198.18.0.1",
      "::1",
      "fe80::1",
      "fd00::1",
      "fec0::1",
      "100::1",
    ]
  ) {
    assertEquals([plausible("internet", ip), plausible("lab", ip)], [
      false,
      true,
    ], ip);
  }
});

Deno.test("takes many hosts, no host, other spellings and bad ports for plausible nowhere", () => {
  for (
    const ip of [
      "0.0.0.0",
      "0.1.2.3",
      "224.0.0.1",
      "239.1.1.1",
      "240.0.0.1",
      "255.255.255.255",
      "::",
      "ff02::1",
      "::ffff:1.2.3.4",
      "2001:DB8::1",
      "01.2.3.4",
      "host",
      "",
      "1.2.3",
      "fe80::1%eth0",
    ]
  ) {
    assertEquals([plausible("internet", ip), plausible("lab", ip)], [
      false,
      false,
    ], ip);
  }
  for (const port of [0, -1, 65_536, 1.5, NaN]) {
    assertEquals(plausible("lab", "1.2.3.4", port), false, String(port));
  }
});
