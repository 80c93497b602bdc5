import { X509Certificate } from "node:crypto";
import { generateKeyPairSync } from "node:crypto";
import { toHex } from "@tesseras/core";
import { ED25519_KEY_BYTES } from "@tesseras/core/limits";
import { ed25519KeyFromSeed, nodeFromSeed } from "@tesseras/crypto";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { firstContactTrust, issueChain, pinnedTrust } from "./certificate.ts";

const identity = nodeFromSeed(new Uint8Array(32).fill(1), 0n, 0);
const other = nodeFromSeed(new Uint8Array(32).fill(2), 0n, 0);

function chain(): [leaf: X509Certificate, intermediate: X509Certificate] {
  const { publicKey } = generateKeyPairSync("ed25519");
  const leafSpki = publicKey.export({ type: "spki", format: "der" });
  const pem = issueChain({
    identity,
    leafSpki: Uint8Array.from(leafSpki),
    serial: Uint8Array.of(0xff, 1),
  });
  const [leaf, intermediate] = pem.split(/(?<=-----END CERTIFICATE-----\n)/);
  return [new X509Certificate(leaf!), new X509Certificate(intermediate!)];
}

function certificateOf(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

Deno.test("the leaf is signed by the node's key and answers to its id, its key and a first contact", () => {
  const [leaf] = chain();
  const { anchorPem, serverName } = pinnedTrust(identity.publicKey);
  const anchor = certificateOf(anchorPem);
  assertEquals(leaf.issuer, anchor.subject);
  assertEquals(leaf.subject, `CN=${toHex(identity.id)}`);
  assertTrue(leaf.verify(anchor.publicKey));
  assertEquals(leaf.ca, false);
  const names = [
    `${toHex(identity.id)}.tesseras.invalid`,
    serverName,
    firstContactTrust().serverName,
  ];
  for (const name of names) {
    assertTrue(leaf.subjectAltName?.includes(`DNS:${name}`), name);
  }
});

Deno.test("no other key's anchor fits the leaf, nor does its name", () => {
  const [leaf] = chain();
  const { anchorPem, serverName } = pinnedTrust(other.publicKey);
  assertEquals(leaf.verify(certificateOf(anchorPem).publicKey), false);
  assertEquals(leaf.subjectAltName?.includes(serverName), false);
});

Deno.test("the intermediate leads from the first-contact key to the node's, and from nothing else", () => {
  const [leaf, intermediate] = chain();
  const anchor = certificateOf(firstContactTrust().anchorPem);
  assertEquals(intermediate.issuer, anchor.subject);
  assertEquals(leaf.issuer, intermediate.subject);
  assertTrue(intermediate.verify(anchor.publicKey));
  assertTrue(leaf.verify(intermediate.publicKey));
  assertTrue(intermediate.ca);
  assertEquals(
    intermediate.verify(
      certificateOf(pinnedTrust(identity.publicKey).anchorPem).publicKey,
    ),
    false,
  );
});

Deno.test("the first-contact key is the one that everybody can compute", () => {
  const seed = new TextEncoder().encode("tesseras-first-contact-no-secret");
  const { publicKey } = ed25519KeyFromSeed(seed);
  const anchor = certificateOf(firstContactTrust().anchorPem);
  const spki = anchor.publicKey.export({ type: "spki", format: "der" });
  assertEquals(toHex(spki.subarray(-ED25519_KEY_BYTES)), toHex(publicKey));
});

Deno.test("every certificate is valid whatever the clock says", () => {
  const anchor = certificateOf(pinnedTrust(identity.publicKey).anchorPem);
  for (const certificate of [...chain(), anchor]) {
    assertEquals(new Date(certificate.validFrom).getTime(), 0);
    assertEquals(new Date(certificate.validTo).getUTCFullYear(), 9999);
  }
});

Deno.test("trusts no key of another length", () => {
  for (const length of [0, 31, 33]) {
    assertThrowsCode(() => pinnedTrust(new Uint8Array(length)), "malformed");
  }
});
