import { toHex, utf8 } from "@tesseras/core";
import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { blake3, deriveKey } from "./blake3.ts";
import { deriveSeed, KEY_CONTEXTS, type KeyPurpose } from "./key_contexts.ts";
import { creatorKeysFromSeed } from "./keys.ts";
import { nobleMlDsa } from "./ml_dsa.ts";
import { verifyBoth } from "./sign.ts";

const SEED = new Uint8Array(32).fill(1);
const MESSAGE = utf8("TESSERA MANIFEST v1\n");

Deno.test("a master seed gives the same keys for ever", () => {
  // Heirs hold the seed and nothing else: these values never change.
  const { publicKeys, sign } = creatorKeysFromSeed(SEED);
  assertEquals(
    toHex(publicKeys.ed25519),
    "24101179bc214c444cf5e5d6f883afcafce73d53d1828484f9be3f964010c54c",
  );
  assertEquals(
    toHex(blake3(publicKeys.mlDsa)),
    "8caa3d8e6d73dfa3482c0fb88b64add10410cd2ecc87f46648e6ed966489e012",
  );
  assertEquals(sign(MESSAGE), creatorKeysFromSeed(SEED).sign(MESSAGE));
});

Deno.test("every purpose has a seed of its own, by BLAKE3 derive_key", () => {
  const purposes = Object.keys(KEY_CONTEXTS) as KeyPurpose[];
  const seeds = purposes.map((purpose) => toHex(deriveSeed(SEED, purpose)));
  assertEquals(new Set(seeds).size, purposes.length);
  assertEquals(
    seeds[0],
    toHex(
      deriveKey("tesseras 2026-02-14 creator ed25519 signing key v1", SEED),
    ),
  );
  assertThrowsCode(
    () => deriveSeed(new Uint8Array(16), "nodeEd25519"),
    "malformed",
    /16 bytes, wanted 32/,
  );
});

Deno.test("says of each signature by itself whether it fits", async () => {
  const keys = creatorKeysFromSeed(SEED);
  const other = creatorKeysFromSeed(new Uint8Array(32).fill(2));
  const ours = keys.sign(MESSAGE);
  const theirs = other.sign(MESSAGE);
  const check = (ed25519: Uint8Array, mlDsa: Uint8Array) =>
    verifyBoth({
      message: MESSAGE,
      signatures: { ed25519, mlDsa },
      publicKeys: keys.publicKeys,
    }, nobleMlDsa);
  assertEquals(await check(ours.ed25519, ours.mlDsa), {
    ed25519: true,
    mlDsa: true,
  });
  assertEquals(await check(theirs.ed25519, ours.mlDsa), {
    ed25519: false,
    mlDsa: true,
  });
  assertEquals(await check(ours.ed25519, theirs.mlDsa), {
    ed25519: true,
    mlDsa: false,
  });
  assertEquals(await check(new Uint8Array(), new Uint8Array()), {
    ed25519: false,
    mlDsa: false,
  });
});
