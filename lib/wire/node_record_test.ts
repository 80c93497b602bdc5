import { assertEquals, assertThrowsCode } from "@tesseras/testing";
import { type Encodable, encode } from "@tesseras/codec";
import { concat, utf8 } from "@tesseras/core";
import {
  CLOCK_SKEW_MS,
  NODE_RECORD_BYTES_MAX,
  NODE_RECORD_TTL_MS,
} from "@tesseras/core/limits";
import {
  ed25519KeyFromSeed,
  findNonce,
  nodeIdOf,
  type NodeSigner,
} from "@tesseras/crypto";
import { CAPABILITIES, hasCapabilities } from "./capabilities.ts";
import {
  type NodeRecordFields,
  readNodeRecord,
  signNodeRecord,
} from "./node_record.ts";

const NOW = 1_800_000_000_000;
const RULES = { nowMs: NOW, powBits: 8 };

function signerOf(seed: number, powBits = 8): NodeSigner {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(seed));
  const powNonce = findNonce(key.publicKey, powBits, {
    from: 0n,
    attempts: 1 << 20,
  })!;
  return { ...key, powNonce, id: nodeIdOf(key.publicKey, powNonce) };
}

const signer = signerOf(1);
const FIELDS: NodeRecordFields = {
  addresses: [{ ip: "192.0.2.7", port: 4433 }, { ip: "2001:db8::1", port: 1 }],
  capabilities: CAPABILITIES.DHT | CAPABILITIES.STORAGE,
  nat: "cone",
  relay: undefined,
  sequence: NOW,
  expiresAtMs: NOW + NODE_RECORD_TTL_MS,
};

/** A record around any payload, signed as a real one would be. */
function sealed(payload: Encodable, by = signer): Uint8Array {
  const p = encode(payload);
  const s = by.sign(concat([utf8("tesseras node record v1\n"), p]));
  return encode({ p, s });
}

const PAYLOAD = {
  addresses: ["192.0.2.7:4433"],
  capabilities: 1,
  nat: "cone",
  key: signer.publicKey,
  nonce: signer.powNonce,
  sequence: NOW,
  expires: NOW + 1000,
};

Deno.test("a node record reads as it was signed", () => {
  const signed = signNodeRecord(FIELDS, signer);
  const read = readNodeRecord(signed.bytes, RULES);
  assertEquals(read, signed);
  assertEquals(read, {
    ...FIELDS,
    id: signer.id,
    publicKey: signer.publicKey,
    powNonce: signer.powNonce,
    subnet: "192.0.2.0/24",
    bytes: signed.bytes,
  });
});

Deno.test("a node record may have no address, and a relay offer", () => {
  const relay = {
    address: { ip: "192.0.2.9", port: 3478 },
    freeSlots: 50,
    kilobytesPerSecond: 256,
  };
  const signed = signNodeRecord({ ...FIELDS, addresses: [], relay }, signer);
  const read = readNodeRecord(signed.bytes, RULES);
  assertEquals(read.relay, relay);
  assertEquals(read.subnet, undefined);
});

Deno.test("the largest node record fits, and one address more does not", () => {
  const address = {
    ip: "1111:2222:3333:4444:5555:6666:7777:8888",
    port: 65535,
  };
  const relay = { address, freeSlots: 65535, kilobytesPerSecond: 0xffff_ffff };
  const addresses = Array(8).fill(address);
  const most = signNodeRecord({ ...FIELDS, addresses, relay }, signer);
  assertEquals(most.bytes.length < NODE_RECORD_BYTES_MAX, true);
  assertThrowsCode(
    () =>
      signNodeRecord({ ...FIELDS, addresses: [...addresses, address] }, signer),
    "malformed",
    /addresses: a list of 9/,
  );
});

Deno.test("readNodeRecord() refuses a record with any bit flipped", () => {
  const { bytes } = signNodeRecord(FIELDS, signer);
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 0x80]) {
      const flipped = bytes.slice();
      flipped[at]! ^= bit;
      let accepted = true;
      try {
        readNodeRecord(flipped, RULES);
      } catch (error) {
        accepted = false;
        const code = (error as { code?: string }).code!;
        assertEquals(["malformed", "forged", "refused"].includes(code), true);
      }
      assertEquals(accepted, false, `byte ${at}`);
    }
  }
});

Deno.test("readNodeRecord() refuses the signature of another node and of another kind", () => {
  const other = signerOf(2);
  const stolen = {
    ...other,
    publicKey: signer.publicKey,
    powNonce: signer.powNonce,
  };
  const { bytes } = signNodeRecord(FIELDS, stolen);
  assertThrowsCode(() => readNodeRecord(bytes, RULES), "forged", /signature/);
  const p = encode(PAYLOAD);
  const s = signer.sign(concat([utf8("tesseras provider record v1\n"), p]));
  assertThrowsCode(
    () => readNodeRecord(encode({ p, s }), RULES),
    "forged",
    /signature/,
  );
});

Deno.test("readNodeRecord() refuses an id with too little work", () => {
  const { bytes } = signNodeRecord(FIELDS, signer);
  const rules = { nowMs: NOW, powBits: 40 };
  assertThrowsCode(() => readNodeRecord(bytes, rules), "forged", /zero bits/);
});

Deno.test("readNodeRecord() refuses what has expired, comes from the future or lives too long", () => {
  const { bytes } = signNodeRecord(FIELDS, signer);
  const at = (nowMs: number) => () =>
    readNodeRecord(bytes, { nowMs, powBits: 8 });
  at(FIELDS.expiresAtMs - 1)();
  assertThrowsCode(at(FIELDS.expiresAtMs), "refused", /expired 0 ms ago/);
  at(NOW - CLOCK_SKEW_MS)();
  assertThrowsCode(at(NOW - CLOCK_SKEW_MS - 1), "refused", /future/);
  const expires = NOW + NODE_RECORD_TTL_MS + 1;
  assertThrowsCode(
    () => signNodeRecord({ ...FIELDS, expiresAtMs: expires }, signer),
    "malformed",
    /expires/,
  );
  assertThrowsCode(
    () => readNodeRecord(sealed({ ...PAYLOAD, expires }), RULES),
    "malformed",
    /expires/,
  );
  assertThrowsCode(
    () => readNodeRecord(sealed({ ...PAYLOAD, expires: NOW }), RULES),
    "malformed",
    /expires/,
  );
});

Deno.test("readNodeRecord() refuses addresses that would aim packets at many", () => {
  for (
    const text of ["224.0.0.1:1", "[ff02::1]:1", "0.0.0.0:1", "192.0.2.7:0"]
  ) {
    assertThrowsCode(
      () => readNodeRecord(sealed({ ...PAYLOAD, addresses: [text] }), RULES),
      "malformed",
      /one host/,
    );
    const relay = { address: text, slots: 1, rate: 1 };
    assertThrowsCode(
      () => readNodeRecord(sealed({ ...PAYLOAD, relay }), RULES),
      "malformed",
      /relay\.address/,
    );
  }
});

Deno.test("readNodeRecord() reads what newer nodes say without understanding it", () => {
  const record = readNodeRecord(
    sealed({
      ...PAYLOAD,
      nat: "carrier",
      capabilities: 2 ** 31,
      moods: ["new"],
    }),
    RULES,
  );
  assertEquals(record.nat, "unknown");
  assertEquals(record.capabilities, 2 ** 31);
  assertEquals(hasCapabilities(record.capabilities, 2 ** 31), true);
});

Deno.test("readNodeRecord() refuses hostile MessagePack inside the payload", () => {
  const twice = Uint8Array.of(0x82, 0xa1, 0x61, 0x05, 0xa1, 0x61, 0x06);
  const s = signer.sign(concat([utf8("tesseras node record v1\n"), twice]));
  assertThrowsCode(
    () => readNodeRecord(encode({ p: twice, s }), RULES),
    "malformed",
    /there before/,
  );
});

Deno.test("hasCapabilities() wants every bit, and 0 wants nothing", () => {
  const have = CAPABILITIES.DHT | CAPABILITIES.SEARCH_INDEX;
  assertEquals(hasCapabilities(have, 0), true);
  assertEquals(hasCapabilities(have, CAPABILITIES.DHT), true);
  assertEquals(hasCapabilities(have, have | CAPABILITIES.RELAY), false);
  assertEquals(hasCapabilities(0xffff_ffff, 0xffff_ffff), true);
});
