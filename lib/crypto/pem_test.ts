import { utf8 } from "@tesseras/core";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { createPublicKey } from "node:crypto";
import { creatorKeysFromSeed } from "./keys.ts";
import { parsePublicKeyPem, type PemKind, printPublicKeyPem } from "./pem.ts";

const { publicKeys } = creatorKeysFromSeed(new Uint8Array(32).fill(1));
const KEYS: readonly (readonly [PemKind, Uint8Array])[] = [
  ["ed25519", publicKeys.ed25519],
  ["mlDsa65", publicKeys.mlDsa],
];

Deno.test("a key printed as PEM reads back", () => {
  for (const [kind, key] of KEYS) {
    assertEquals(parsePublicKeyPem(kind, printPublicKeyPem(kind, key)), key);
  }
});

Deno.test("the platform reads and writes the same PEM", async () => {
  const text = new TextDecoder().decode(
    printPublicKeyPem("ed25519", publicKeys.ed25519),
  );
  assertEquals(
    createPublicKey(text).export({ format: "pem", type: "spki" }),
    text,
  );
  const imported = await crypto.subtle.importKey(
    "raw-public" as "raw",
    publicKeys.mlDsa as BufferSource,
    { name: "ML-DSA-65" },
    true,
    ["verify"],
  );
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", imported));
  const body = spki.toBase64().replace(/.{1,64}/g, "$&\n");
  assertEquals(
    printPublicKeyPem("mlDsa65", publicKeys.mlDsa),
    utf8(`-----BEGIN PUBLIC KEY-----\n${body}-----END PUBLIC KEY-----\n`),
  );
});

Deno.test("refuses a PEM with any byte changed, added or cut off", () => {
  const pem = printPublicKeyPem("ed25519", publicKeys.ed25519);
  const refuses = (bytes: Uint8Array) =>
    assertThrowsCode(
      () => parsePublicKeyPem("ed25519", bytes),
      "malformed",
      /Cannot read public key: \d+ bytes are no PEM of an Ed25519 key/,
    );
  for (let at = 0; at < pem.length; at++) {
    refuses(pem.subarray(0, at));
    const bad = pem.slice();
    bad[at] = 0xff;
    refuses(bad);
  }
  const text = new TextDecoder().decode(pem);
  refuses(utf8(text + "\n"));
  refuses(utf8(text.replaceAll("\n", "\r\n")));
  refuses(utf8(text.replace("MCow", "MC\now")));
  refuses(new Uint8Array(1_000_000));
  refuses(printPublicKeyPem("mlDsa65", publicKeys.mlDsa));
});
