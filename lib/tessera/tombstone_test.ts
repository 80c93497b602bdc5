import { concat, equal } from "@tesseras/core";
import { CLOCK_SKEW_MS, TOMBSTONE_TTL_MS } from "@tesseras/core/limits";
import { blake3, creatorKeysFromSeed, nobleMlDsa } from "@tesseras/crypto";
import {
  assertEquals,
  assertRejectsCode,
  assertThrowsCode,
  assertTrue,
} from "@tesseras/testing";
import { sampleKeys, sampleTessera } from "@tesseras/testing/tessera";
import { draftPlan, signPlan } from "./plan.ts";
import {
  checkTombstoneFresh,
  creatorOf,
  readTombstone,
  signTombstone,
  tombstoneExpiry,
  verifyTombstone,
} from "./tombstone.ts";

const tesseraId = sampleTessera().composed.id;
const createdAtMs = 1_800_000_000_000;
const draft = { tesseraId, createdAtMs };
const plan = planBy(sampleKeys);

function planBy(keys: typeof sampleKeys) {
  const fragment = blake3(Uint8Array.of(1));
  const fragments = Array(7).fill(fragment);
  return signPlan(draftPlan({ tesseraId, packBytes: 9, fragments }), keys);
}

Deno.test("a tombstone reads back and verifies against the plan of its signer", async () => {
  const tombstone = signTombstone(draft, sampleKeys);
  assertEquals(tombstone.bytes.length, 3_434);
  assertEquals(readTombstone(tombstone.bytes), tombstone);
  assertEquals(tombstone.createdAtMs, createdAtMs);
  await verifyTombstone(tombstone, plan, nobleMlDsa);
  assertTrue(equal(signTombstone(draft, sampleKeys).bytes, tombstone.bytes));
});

Deno.test("whoever signs a plan for another's tessera deletes nothing but what is of that plan", async () => {
  const stranger = creatorKeysFromSeed(new Uint8Array(32).fill(77));
  const forged = signTombstone(draft, stranger);
  await assertRejectsCode(
    verifyTombstone(forged, plan, nobleMlDsa),
    "forged",
    /its Ed25519 signature is not by the signer of the plan/,
  );
  await verifyTombstone(forged, planBy(stranger), nobleMlDsa);
  assertTrue(
    !equal(creatorOf(stranger.publicKeys), creatorOf(plan.publicKeys)),
  );
});

Deno.test("a tombstone of one tessera is none of another by the same creator", async () => {
  const other = blake3(Uint8Array.of(2));
  await assertRejectsCode(
    verifyTombstone(
      signTombstone(draft, sampleKeys),
      { ...plan, tesseraId: readTombstone(patched(21, other)).tesseraId },
      nobleMlDsa,
    ),
    "forged",
    /the plan is for/,
  );
  await assertRejectsCode(
    verifyTombstone(readTombstone(patched(21, other)), plan, nobleMlDsa),
    "forged",
  );
});

/** The sample with bytes written over it at an offset. */
function patched(at: number, bytes: Uint8Array): Uint8Array {
  const { bytes: own } = signTombstone(draft, sampleKeys);
  const patched = own.slice();
  patched.set(bytes, at);
  return patched;
}

Deno.test("any byte changed is malformed or forged", async () => {
  const { bytes } = signTombstone(draft, sampleKeys);
  const seen = { malformed: 0, forged: 0 };
  // Every byte of what is signed, then steps that meet both signatures.
  for (let at = 0; at < bytes.length; at += at < 61 ? 1 : 211) {
    const bad = patched(at, Uint8Array.of(bytes[at]! ^ 1));
    const code = await judge(bad);
    seen[code]++;
  }
  assertTrue(seen.malformed >= 21 && seen.forged > 40, JSON.stringify(seen));
});

async function judge(bytes: Uint8Array): Promise<"malformed" | "forged"> {
  let tombstone;
  try {
    tombstone = readTombstone(bytes);
  } catch (error) {
    assertThrowsCode(() => {
      throw error;
    }, "malformed");
    return "malformed";
  }
  await assertRejectsCode(
    verifyTombstone(tombstone, plan, nobleMlDsa),
    "forged",
  );
  return "forged";
}

Deno.test("refuses other lengths, other tags and times that are none", () => {
  const { bytes } = signTombstone(draft, sampleKeys);
  const refuses = (bad: Uint8Array, message: RegExp) =>
    assertThrowsCode(() => readTombstone(bad), "malformed", message);
  refuses(bytes.subarray(0, 3_433), /3433 bytes, wanted 3434/);
  refuses(concat([bytes, Uint8Array.of(0)]), /3435 bytes/);
  refuses(new Uint8Array(), /0 bytes/);
  refuses(patched(19, Uint8Array.of(0x32)), /does not begin with/);
  refuses(patched(53, Uint8Array.of(0, 0x20)), /made at \d+, which is no time/);
  refuses(plan.bytes, /wanted 3434/);
});

Deno.test("a tombstone counts for a year from its making, and not before", () => {
  const tombstone = signTombstone(draft, sampleKeys);
  const at = (nowMs: number) => () => checkTombstoneFresh(tombstone, nowMs);
  assertEquals(tombstoneExpiry(tombstone), createdAtMs + TOMBSTONE_TTL_MS);
  at(createdAtMs)();
  at(createdAtMs - CLOCK_SKEW_MS)();
  at(createdAtMs + TOMBSTONE_TTL_MS - 1)();
  assertThrowsCode(at(createdAtMs + TOMBSTONE_TTL_MS), "refused", /ran out/);
  assertThrowsCode(at(createdAtMs - CLOCK_SKEW_MS - 1), "refused", /future/);
});
