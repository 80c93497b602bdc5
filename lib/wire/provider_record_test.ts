import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { hash, tesseraId } from "@tesseras/core";
import {
  CLOCK_SKEW_MS,
  POINTER_TTL_MS,
  PROVIDER_RECORD_BYTES_MAX,
} from "@tesseras/core/limits";
import {
  ed25519KeyFromSeed,
  findNonce,
  nodeIdOf,
  type NodeSigner,
} from "@tesseras/crypto";
import { signNodeRecord } from "./node_record.ts";
import {
  type ProviderRecordFields,
  readProviderRecord,
  signProviderRecord,
} from "./provider_record.ts";
import { RecordCache } from "./record_cache.ts";

const NOW = 1_800_000_000_000;
const RULES = { nowMs: NOW, powBits: 8 };

function signerOf(seed: number): NodeSigner {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(seed));
  const powNonce = findNonce(key.publicKey, 8, {
    from: 0n,
    attempts: 1 << 20,
  })!;
  return { ...key, powNonce, id: nodeIdOf(key.publicKey, powNonce) };
}

const signer = signerOf(1);
const FIELDS: ProviderRecordFields = {
  tesseraId: tesseraId(new Uint8Array(32).fill(3)),
  planHash: hash(new Uint8Array(32).fill(4)),
  indices: [0, 5, 71],
  sequence: NOW,
  expiresAtMs: NOW + POINTER_TTL_MS,
};

Deno.test("a provider record reads as it was signed", () => {
  const signed = signProviderRecord(FIELDS, signer);
  assertEquals(readProviderRecord(signed.bytes, RULES), signed);
  assertEquals(signed, {
    ...FIELDS,
    holder: signer.id,
    publicKey: signer.publicKey,
    powNonce: signer.powNonce,
    bytes: signed.bytes,
  });
});

Deno.test("a provider record of all fragments fits", () => {
  const indices = Array.from({ length: 72 }, (_, index) => index);
  const { bytes } = signProviderRecord({ ...FIELDS, indices }, signer);
  assertEquals(bytes.length < PROVIDER_RECORD_BYTES_MAX, true);
});

Deno.test("a provider record refuses indices out of order, twice, too high, or none", () => {
  for (const indices of [[], [1, 1], [2, 1], [72], [-1]]) {
    assertThrowsCode(
      () => signProviderRecord({ ...FIELDS, indices }, signer),
      "malformed",
      /indices/,
    );
  }
});

Deno.test("readProviderRecord() refuses a record with any bit flipped", () => {
  const { bytes } = signProviderRecord(FIELDS, signer);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1;
    let code: string | undefined;
    try {
      readProviderRecord(flipped, RULES);
    } catch (error) {
      code = (error as { code?: string }).code;
    }
    assertEquals(
      ["malformed", "forged", "refused"].includes(code!),
      true,
      `${at}`,
    );
  }
});

Deno.test("readProviderRecord() checks times and work as for node records", () => {
  const { bytes } = signProviderRecord(FIELDS, signer);
  const at = (nowMs: number, powBits = 8) => () =>
    readProviderRecord(bytes, { nowMs, powBits });
  assertThrowsCode(at(FIELDS.expiresAtMs), "refused", /expired/);
  assertThrowsCode(at(NOW - CLOCK_SKEW_MS - 1), "refused", /future/);
  assertThrowsCode(at(NOW, 40), "forged", /zero bits/);
});

Deno.test("a node record does not pass for a provider record", () => {
  const { bytes } = signNodeRecord({
    addresses: [],
    capabilities: 0,
    nat: "unknown",
    sequence: NOW,
    expiresAtMs: NOW + 1,
  }, signer);
  assertThrowsCode(() => readProviderRecord(bytes, RULES), "malformed");
});

Deno.test("RecordCache gives the same record again, and judges its times each time", () => {
  const cache = new RecordCache(8, 2);
  const { bytes } = signProviderRecord(FIELDS, signer);
  const first = cache.provider(bytes, NOW);
  assertEquals(cache.provider(bytes.slice(), NOW) === first, true);
  assertThrowsCode(
    () => cache.provider(bytes, FIELDS.expiresAtMs),
    "refused",
    /expired/,
  );
});

Deno.test("RecordCache remembers no more than its limit, the latest used first", () => {
  const cache = new RecordCache(8, 2);
  const bytes = [1, 2, 3].map((sequence) =>
    signNodeRecord({
      addresses: [],
      capabilities: 0,
      nat: "unknown",
      sequence: NOW - sequence,
      expiresAtMs: NOW + 1000,
    }, signer).bytes
  );
  const [a, b] = [cache.node(bytes[0]!, NOW), cache.node(bytes[1]!, NOW)];
  assertEquals(cache.node(bytes[0]!, NOW) === a, true);
  cache.node(bytes[2]!, NOW);
  assertEquals(cache.node(bytes[0]!, NOW) === a, true);
  assertEquals(cache.node(bytes[1]!, NOW) === b, false);
});

Deno.test("RecordCache remembers nothing that was refused", () => {
  const cache = new RecordCache(40, 2);
  const { bytes } = signProviderRecord(FIELDS, signer);
  for (let attempt = 0; attempt < 2; attempt++) {
    assertThrowsCode(() => cache.provider(bytes, NOW), "forged");
  }
});
