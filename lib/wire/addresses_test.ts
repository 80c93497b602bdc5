import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { Field } from "@tesseras/codec";
import { formatAddress } from "@tesseras/core";
import { isDialable, readAddress } from "./addresses.ts";

const read = (text: string) => readAddress(new Field(text, "address"));

Deno.test("readAddress() reads the one form of an address", () => {
  for (
    const text of [
      "192.0.2.7:4433",
      "127.0.0.1:1",
      "10.0.0.1:65535",
      "[::1]:4433",
      "[2001:db8::1]:4433",
      "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
    ]
  ) assertEquals(formatAddress(read(text)), text);
});

Deno.test("readAddress() refuses every other form", () => {
  for (
    const text of [
      "192.0.2.7:04433",
      "192.0.2.7",
      "192.0.2.07:1",
      "example.org:4433",
      "[2001:DB8::1]:4433",
      "[2001:db8:0::1]:4433",
      "[::ffff:192.0.2.7]:4433",
      "[fe80::1%eth0]:4433",
      "192.0.2.7:65536",
      "192.0.2.7:4433\n",
      "",
      "[" + "1".repeat(60) + "]:1",
    ]
  ) assertThrowsCode(() => read(text), "malformed");
});

Deno.test("readAddress() refuses what is no single host with a port", () => {
  for (
    const text of [
      "192.0.2.7:0",
      "0.0.0.0:4433",
      "0.1.2.3:4433",
      "224.0.0.1:4433",
      "239.255.255.255:4433",
      "255.255.255.255:4433",
      "[::]:4433",
      "[ff02::1]:4433",
      "[ff0e::1]:4433",
    ]
  ) assertThrowsCode(() => read(text), "malformed", /one host/);
  assertEquals(isDialable({ ip: "223.255.255.255", port: 1 }), true);
});
