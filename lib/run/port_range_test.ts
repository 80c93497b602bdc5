import { assertEquals } from "@tesseras/testing";
import { portsOf } from "./port_range.ts";

Deno.test("a range of ports has room for a pair and lies within 1 to 65535", () => {
  assertEquals(portsOf("40000-40999"), { from: 40_000, to: 40_999 });
  assertEquals(portsOf("1-2"), { from: 1, to: 2 });
  const wrong = [
    "",
    "40000",
    "40000-40000",
    "2-1",
    "0-9",
    "65535-65536",
    "1-2-3",
    " 1-2",
    "a-b",
    7,
    undefined,
  ];
  for (const one of wrong) assertEquals(portsOf(one), undefined, `${one}`);
});
