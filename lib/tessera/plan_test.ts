import { concat, equal, type Hash, toHex } from "@tesseras/core";
import { blake3, creatorKeysFromSeed, nobleMlDsa } from "@tesseras/crypto";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import {
  sampleInput,
  sampleKeys,
  sampleTessera,
} from "@tesseras/testing/tessera";
import {
  draftPlan,
  planFits,
  readPlan,
  shardBytesOf,
  signPlan,
  tierOf,
  verifyPlan,
} from "./plan.ts";

const MIB = 1024 * 1024;
const { composed } = sampleTessera();

function hashes(count: number): readonly Hash[] {
  return Array.from({ length: count }, (_, i) => blake3(Uint8Array.of(i)));
}

/** A plan of a pack that is large enough for the tier of 16 + 8. */
function mediumPlan(keys = sampleKeys) {
  return signPlan(
    draftPlan({
      tesseraId: composed.id,
      packBytes: 5 * MIB + 512,
      fragments: hashes(24),
    }),
    keys,
  );
}

/** The plan with big-endian bytes written over it at an offset. */
function patched(at: number, ...bytes: readonly number[]): Uint8Array {
  const plan = mediumPlan().bytes.slice();
  plan.set(bytes, at);
  return plan;
}

Deno.test("the tiers are those of the user guide, at their very borders", () => {
  assertEquals(tierOf(1), { dataCount: 1, parityCount: 6 });
  assertEquals(tierOf(4 * MIB - 1), { dataCount: 1, parityCount: 6 });
  assertEquals(tierOf(4 * MIB), { dataCount: 16, parityCount: 8 });
  assertEquals(tierOf(256 * MIB - 1), { dataCount: 16, parityCount: 8 });
  assertEquals(tierOf(256 * MIB), { dataCount: 48, parityCount: 24 });
  assertEquals(shardBytesOf(5 * MIB + 512, 16), 327_712);
  assertEquals(shardBytesOf(17, 16), 2);
});

Deno.test("a signed plan reads back, verifies and fits its tessera", async () => {
  const plan = mediumPlan();
  const read = readPlan(plan.bytes);
  assertEquals(read, plan);
  assertEquals(read.hash, blake3(plan.bytes));
  assertEquals(read.shardBytes, 327_712);
  assertTrue(plan.bytes.length < 8 * 1024);
  await verifyPlan(read, nobleMlDsa);
  planFits(read, composed);
  assertTrue(equal(mediumPlan().bytes, plan.bytes), "signing is deterministic");
});

Deno.test("small packs are kept as whole copies with one hash", () => {
  const [one, other] = hashes(2);
  const draft = { tesseraId: composed.id, packBytes: 2_048 };
  const plan = signPlan(
    draftPlan({ ...draft, fragments: Array(7).fill(one) }),
    sampleKeys,
  );
  assertEquals(plan.shardBytes, 2_048);
  const mixed = draftPlan({
    ...draft,
    fragments: [...Array(6).fill(one), other!],
  });
  assertThrowsCode(
    () => signPlan(mixed, sampleKeys),
    "malformed",
    /whole copies with different hashes/,
  );
});

Deno.test("refuses numbers that do not fit together, saying which", () => {
  const refuses = (bytes: Uint8Array, message: RegExp) =>
    assertThrowsCode(() => readPlan(bytes), "malformed", message);
  refuses(patched(0, 0x74), /does not begin with TESSERA PLAN v1/);
  refuses(patched(13, 0x76, 0x32), /does not begin with TESSERA PLAN v1/);
  refuses(patched(48, 0, 0, 0, 0, 0, 0, 0, 0), /a pack of 0 bytes/);
  refuses(
    patched(48, 255, 255, 255, 255, 255, 255, 255, 255),
    /a pack of 18446744073709552000 bytes/,
  );
  refuses(patched(53, 1), /a pack of|fragments, a pack of/);
  refuses(patched(59, 0xff), /fragments of \d+ bytes, wanted 327712/);
  refuses(
    patched(60, 17),
    /17 \+ 8 fragments, a pack of 5243392 bytes has 16 \+ 8/,
  );
  refuses(patched(61, 0), /16 \+ 0 fragments/);
  const { bytes } = mediumPlan();
  refuses(bytes.subarray(0, bytes.length - 1), /24 fragments need/);
  refuses(concat([bytes, Uint8Array.of(0)]), /24 fragments need/);
  refuses(new Uint8Array(), /Cannot read plan: 0 bytes/);
  refuses(new Uint8Array(20_000), /20000 bytes/);
});

Deno.test("any byte changed is malformed or forged", async () => {
  const { bytes } = mediumPlan();
  const seen = { malformed: 0, forged: 0 };
  // Every byte of the head, then steps that meet keys, hashes and both signatures.
  for (let at = 0; at < bytes.length; at += at < 70 ? 1 : 211) {
    const bad = bytes.slice();
    bad[at]! ^= 0x10;
    try {
      await verifyPlan(readPlan(bad), nobleMlDsa);
      assertTrue(false, `byte ${at} may be changed`);
    } catch (error) {
      const { code } = error as { readonly code: "malformed" | "forged" };
      assertTrue(code in seen, String(error));
      seen[code]++;
    }
  }
  assertTrue(seen.malformed > 20 && seen.forged > 20);
});

Deno.test("names the signature that does not fit", async () => {
  const { bytes } = mediumPlan();
  const flipped = (at: number) => {
    const bad = bytes.slice();
    bad[at]! ^= 1;
    return readPlan(bad);
  };
  await assertRejectsCode(
    verifyPlan(flipped(bytes.length - 3_310), nobleMlDsa),
    "forged",
    /its Ed25519 signature does not fit/,
  );
  await assertRejectsCode(
    verifyPlan(flipped(bytes.length - 100), nobleMlDsa),
    "forged",
    /its ML-DSA-65 signature does not fit/,
  );
});

Deno.test("refuses a plan of another creator or for another tessera", async () => {
  const stranger = mediumPlan(creatorKeysFromSeed(new Uint8Array(32).fill(2)));
  await verifyPlan(stranger, nobleMlDsa);
  assertThrowsCode(
    () => planFits(stranger, composed),
    "forged",
    /its Ed25519 key is not the creator's/,
  );
  const other = sampleTessera(sampleInput({ title: "Other" })).composed;
  assertThrowsCode(
    () => planFits(mediumPlan(), other),
    "forged",
    new RegExp(
      `for tessera ${toHex(other.id)}: it is for tessera ${toHex(composed.id)}`,
    ),
  );
  const half = {
    ...sampleKeys,
    publicKeys: { ...sampleKeys.publicKeys, mlDsa: stranger.publicKeys.mlDsa },
  };
  assertThrowsCode(
    () => planFits(mediumPlan(half), composed),
    "forged",
    /its ML-DSA-65 key is not the creator's/,
  );
});
