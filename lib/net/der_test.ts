import { toHex } from "@tesseras/core";
import { assertEquals } from "@tesseras/testing";
import {
  bitString,
  booleanTrue,
  explicit,
  generalizedTime,
  implicitText,
  integer,
  objectIdentifier,
  octetString,
  printPem,
  sequence,
  setOf,
  utcTime,
  utf8String,
} from "./der.ts";

Deno.test("writes the elements of a certificate as X.690 has them", () => {
  const written = {
    [toHex(booleanTrue())]: "0101ff",
    [toHex(bitString(Uint8Array.of(1, 2)))]: "0303000102",
    [toHex(octetString(Uint8Array.of(1, 2)))]: "04020102",
    [toHex(objectIdentifier("2b6570"))]: "06032b6570",
    [toHex(utf8String("é"))]: "0c02c3a9",
    [toHex(utcTime("700101000000Z"))]: "170d3730303130313030303030305a",
    [toHex(generalizedTime("99991231235959Z"))]:
      "180f39393939313233313233353935395a",
    [toHex(explicit(3, booleanTrue()))]: "a3030101ff",
    [toHex(implicitText(2, "a.b"))]: "8203612e62",
    [toHex(setOf(booleanTrue()))]: "31030101ff",
    [toHex(sequence(booleanTrue(), booleanTrue()))]: "30060101ff0101ff",
  };
  for (const [got, wanted] of Object.entries(written)) {
    assertEquals(got, wanted);
  }
});

Deno.test("an integer is as short as it can be and never turns negative", () => {
  assertEquals(toHex(integer(Uint8Array.of(2))), "020102");
  assertEquals(toHex(integer(Uint8Array.of(0, 0, 2))), "020102");
  assertEquals(toHex(integer(Uint8Array.of(0x80))), "02020080");
  assertEquals(toHex(integer(Uint8Array.of(0, 0x80))), "02020080");
  assertEquals(toHex(integer(Uint8Array.of(0))), "020100");
  assertEquals(toHex(integer(new Uint8Array(0))), "020100");
});

Deno.test("a length takes as few bytes as it can", () => {
  const head = (length: number) =>
    toHex(octetString(new Uint8Array(length)).subarray(0, 4));
  assertEquals(head(127), "047f0000");
  assertEquals(head(128), "04818000");
  assertEquals(head(255), "0481ff00");
  assertEquals(head(256), "04820100");
  assertEquals(head(65_535), "0482ffff");
});

Deno.test("PEM has lines of 64 letters", () => {
  const lines = printPem("CERTIFICATE", new Uint8Array(50)).split("\n");
  assertEquals(lines[0], "-----BEGIN CERTIFICATE-----");
  assertEquals(lines[1]?.length, 64);
  assertEquals(lines[2], "AAA=");
  assertEquals(lines[3], "-----END CERTIFICATE-----");
});
