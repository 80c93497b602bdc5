import fc from "fast-check";
import { canonicalIp } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import { addressIn, nameOf } from "./kernel_libc.ts";

Deno.test("an address written for the kernel is read back the same", () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  fc.assert(fc.property(
    fc.oneof(fc.ipV4(), fc.ipV6().map((ip) => canonicalIp(ip) ?? "::")),
    port,
    (ip, port) => assertEquals(addressIn(nameOf(ip, port)), { ip, port }),
  ));
});

Deno.test("a name lies as the kernel lays it out, and another family is no address", () => {
  assertEquals(
    [...nameOf("127.0.0.1", 4433)],
    [2, 0, 0x11, 0x51, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
  );
  assertEquals([...nameOf("::1", 4433)].slice(0, 4), [10, 0, 0x11, 0x51]);
  assertEquals(addressIn(new Uint8Array(16)), undefined);
});
