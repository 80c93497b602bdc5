import fc from "fast-check";
import { encode } from "@tesseras/codec";
import { concat, nodeId, utf8 } from "@tesseras/core";
import { INTRODUCTION_FRESH_MS } from "@tesseras/core/limits";
import {
  ed25519KeyFromSeed,
  findNonce,
  nodeIdOf,
  type NodeSigner,
} from "@tesseras/crypto";
import { NAT_KINDS } from "@tesseras/nat";
import { assertEquals, assertThrowsCode, assertTrue } from "@tesseras/testing";
import { type FreshForm, readFresh, signFresh } from "./fresh_record.ts";
import { CONSENT, INTRODUCTION, type Meeting } from "./punch_record.ts";
import {
  RELAY_ENDED,
  RELAY_ENDS,
  RELAY_GRANTED,
  RELAY_MOVED,
  RELAY_WANTED,
} from "./relay_record.ts";

const NOW = 1_800_000_000_000;
const RULES = { nowMs: NOW, powBits: 8 };

function signerOf(seed: number): NodeSigner {
  const key = ed25519KeyFromSeed(new Uint8Array(32).fill(seed));
  const range = { from: 0n, attempts: 1 << 20 };
  const powNonce = findNonce(key.publicKey, 8, range)!;
  return { ...key, powNonce, id: nodeIdOf(key.publicKey, powNonce) };
}

const signer = signerOf(1);
const said = { signer, nowMs: NOW };
const PEER = nodeId(new Uint8Array(20).fill(5));
const MEETING: Meeting = {
  to: PEER,
  meeting: new Uint8Array(16).fill(7),
  addresses: [{ ip: "192.0.2.7", port: 40_000 }],
  nat: "cone",
};

/** What comes back is what was said, by whom and when. */
function comesBack<F extends object>(form: FreshForm<F>, fields: F): void {
  const signed = signFresh(form, fields, said);
  assertEquals(readFresh(form, signed.bytes, RULES), signed);
  assertEquals(signed, {
    ...fields,
    id: signer.id,
    publicKey: signer.publicKey,
    powNonce: signer.powNonce,
    sequence: NOW,
    expiresAtMs: NOW + INTRODUCTION_FRESH_MS,
    bytes: signed.bytes,
  });
}

const size = { numRuns: 20 };
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length });
const id = bytes(20).map(nodeId);
const session = bytes(16);
const address = fc.integer({ min: 1, max: 65_535 })
  .map((port) => ({ ip: port % 2 ? "192.0.2.7" : "2001:db8::7", port }));
const plain = { noNullPrototype: true } as const;

Deno.test("introductions and consents come back as they were signed", () => {
  const meeting = fc.record({
    to: id,
    meeting: session,
    addresses: fc.array(address, { maxLength: 4 }),
    nat: fc.constantFrom(...NAT_KINDS),
  }, plain);
  fc.assert(
    fc.property(meeting, (fields) => {
      comesBack(INTRODUCTION, fields);
      comesBack(CONSENT, fields);
    }),
    size,
  );
});

Deno.test("what peers and relays sign to each other comes back as it was signed", () => {
  fc.assert(
    fc.property(
      fc.record({ relay: id, peer: id }, plain),
      fc.record({
        session,
        to: id,
        peer: id,
        address,
        bytesPerSecond: fc.nat(1_000_000_000),
        lastsMs: fc.option(fc.nat(604_800_000), { nil: undefined }),
      }, plain),
      fc.record({ relay: id, session }, plain),
      fc.record({
        to: id,
        session,
        why: fc.constantFrom(...RELAY_ENDS),
        graceMs: fc.nat(60_000),
      }, plain),
      (wanted, granted, moved, ended) => {
        comesBack(RELAY_WANTED, wanted);
        comesBack(RELAY_GRANTED, granted);
        comesBack(RELAY_MOVED, moved);
        comesBack(RELAY_ENDED, ended);
      },
    ),
    size,
  );
});

Deno.test("is fresh for half a minute to either side of our clock", () => {
  const { bytes } = signFresh(INTRODUCTION, MEETING, said);
  const at = (offMs: number) =>
    readFresh(INTRODUCTION, bytes, { ...RULES, nowMs: NOW + offMs });
  at(INTRODUCTION_FRESH_MS - 1);
  at(-INTRODUCTION_FRESH_MS);
  assertThrowsCode(() => at(INTRODUCTION_FRESH_MS), "refused", /expired/);
  assertThrowsCode(() => at(-INTRODUCTION_FRESH_MS - 1), "refused", /future/);
});

Deno.test("believes no work too small, no other signer and no flipped bit", () => {
  const { bytes } = signFresh(INTRODUCTION, MEETING, said);
  assertThrowsCode(
    () => readFresh(INTRODUCTION, bytes, { ...RULES, powBits: 60 }),
    "forged",
    /leading zero bits/,
  );
  const other = { ...signerOf(2), sign: signer.sign };
  const stolen = signFresh(INTRODUCTION, MEETING, {
    signer: other,
    nowMs: NOW,
  });
  assertThrowsCode(
    () => readFresh(INTRODUCTION, stolen.bytes, RULES),
    "forged",
    /signature/,
  );
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
    const broken = bytes.slice();
    broken[at]! ^= 1 << bit;
    let isRefused = false;
    try {
      readFresh(INTRODUCTION, broken, RULES);
    } catch {
      isRefused = true;
    }
    assertTrue(isRefused);
  }));
});

Deno.test("one kind never passes for another, even with the same fields", () => {
  const { bytes } = signFresh(INTRODUCTION, MEETING, said);
  assertThrowsCode(() => readFresh(CONSENT, bytes, RULES), "forged");
  const tags = [
    INTRODUCTION,
    CONSENT,
    RELAY_WANTED,
    RELAY_GRANTED,
    RELAY_MOVED,
    RELAY_ENDED,
  ]
    .map(({ kind }) => kind.tag);
  assertEquals(new Set(tags).size, tags.length);
});

Deno.test("rounds down what only newer nodes know", () => {
  const payload = (fields: object) => {
    const p = encode({
      ...fields,
      key: signer.publicKey,
      nonce: signer.powNonce,
      sequence: NOW,
      expires: NOW + 1_000,
      new: 1,
    });
    return (tag: string) =>
      encode({ p, s: signer.sign(concat([utf8(tag), p])) });
  };
  const { to, meeting } = MEETING;
  const intro = payload({ to, meeting, addresses: [], nat: "blocked" });
  const read = readFresh(INTRODUCTION, intro(INTRODUCTION.kind.tag), RULES);
  assertEquals(read.nat, "unknown");
  const end = payload({ to, session: meeting, why: "moon", grace: 5 });
  assertEquals(
    readFresh(RELAY_ENDED, end(RELAY_ENDED.kind.tag), RULES).why,
    "closed",
  );
});

Deno.test("refuses to sign what no reader would accept", () => {
  const five = Array.from(
    { length: 5 },
    (_, at) => ({ ip: "192.0.2.7", port: at + 1 }),
  );
  for (
    const wrong of [
      { addresses: five },
      { addresses: [{ ip: "224.0.0.1", port: 1 }] },
      { addresses: [{ ip: "192.0.2.7", port: 0 }] },
      { meeting: new Uint8Array(15) },
    ]
  ) {
    assertThrowsCode(
      () => signFresh(INTRODUCTION, { ...MEETING, ...wrong }, said),
      "malformed",
    );
  }
});
