import { assert, codeOf, equal } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { blake3, nobleMlDsa } from "@tesseras/crypto";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import {
  blobCount,
  created,
  FaultyBlobs,
  keys,
  never,
  noise,
  otherKeys,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import type { Archive } from "./archive.ts";

const BIG = { "big.wav": noise(5 * MIB, 11), "a.txt": "beside it" };

async function fragmentBytes(
  archive: Archive,
  plan: Plan,
  index: number,
): Promise<Uint8Array> {
  const opened = await archive.openFragment(plan, index, never);
  assert(opened, `fragment ${index} is there`);
  await using reader = opened;
  const bytes = new Uint8Array(reader.bytes);
  for (let at = 0; at < bytes.length;) {
    const count = await reader.read(at, bytes.subarray(at), never);
    assertTrue(count > 0);
    at += count;
  }
  assertEquals(await reader.read(bytes.length, new Uint8Array(9), never), 0);
  return bytes;
}

Deno.test("prepare() gives a signed plan, and this node has every fragment of it", async () => {
  const one = world();
  const { id, row } = await created(one, BIG);
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  await verifyPlan(plan, nobleMlDsa);
  assertEquals([plan.dataCount, plan.parityCount], [16, 8]);
  assertEquals(plan.packBytes, row.packBytes);
  for (const [index, hash] of plan.fragments.entries()) {
    const bytes = await fragmentBytes(one.archive, plan, index);
    assertEquals(bytes.length, plan.shardBytes);
    assertTrue(equal(blake3(bytes), hash), `fragment ${index} is the plan's`);
  }
  assertEquals(await one.archive.openFragment(plan, 24, never), undefined);
});

Deno.test("prepare() of a small tessera makes whole copies and stores nothing but their plan", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const before = await blobCount(one.blobs);
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  assertEquals([plan.dataCount, plan.parityCount], [1, 6]);
  assertEquals(await blobCount(one.blobs), before + 1);
  assertEquals(await one.blobs.size(plan.hash, never), plan.bytes.length);
  const bytes = await fragmentBytes(one.archive, plan, 6);
  assertTrue(equal(blake3(bytes), plan.fragments[0]!));
});

Deno.test("prepare() again gives the same plan without coding, and tells that it is done", async () => {
  const blobs = new FaultyBlobs();
  const one = world(blobs);
  const { id } = await created(one, BIG);
  const first = await one.archive.prepare(id, keys, () => {}, never);
  blobs.callCount = 0;
  const told: number[] = [];
  const again = await one.archive.prepare(
    id,
    keys,
    ({ doneBytes }) => told.push(doneBytes),
    never,
  );
  assertEquals(again.bytes, first.bytes);
  assertEquals(told, [first.packBytes]);
});

Deno.test("prepare() restores a staged fragment that rotted or went, under the same plan", async () => {
  const one = world();
  const { id } = await created(one, BIG);
  const first = await one.archive.prepare(id, keys, () => {}, never);
  one.blobs.rot(first.fragments[17]!, 1000);
  await one.blobs.remove(first.fragments[20]!, never);
  const again = await one.archive.prepare(id, keys, () => {}, never);
  assertEquals(again.bytes, first.bytes);
  for (const index of [17, 20]) {
    const bytes = await fragmentBytes(one.archive, again, index);
    assertTrue(equal(blake3(bytes), first.fragments[index]!));
  }
});

Deno.test("prepare() refuses to sign what rotted in the store, naming the file", async () => {
  const one = world();
  const { id, kept } = await created(one, BIG);
  one.blobs.rot(kept[1]!.hash, 4_000_000);
  await assertRejectsCode(
    one.archive.prepare(id, keys, () => {}, never),
    "corrupt",
    /^Cannot publish: memories\/.*media.wav is damaged in the store/,
  );
  assertEquals(await one.state.plansOf(id, never), []);
});

Deno.test("prepare() of another's tessera needs a plan of theirs", async () => {
  const one = world();
  const { id } = await created(one, BIG);
  await assertRejectsCode(
    one.archive.prepare(id, otherKeys, () => {}, never),
    "unusable",
    /somebody else made it, and no plan of theirs is here$/,
  );
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  const again = await one.archive.prepare(id, otherKeys, () => {}, never);
  assertEquals(again.hash, plan.hash);
  // Their keys are in it, but they did not sign it.
  const bytes = plan.bytes.slice();
  bytes[bytes.length - 1]! ^= 1;
  const forged = readPlan(bytes);
  const two = world();
  assertEquals((await created(two, BIG)).id, id);
  const row = { hash: forged.hash, tesseraId: id, bytes };
  await two.state.putPlan(row, never);
  await assertRejectsCode(
    two.archive.prepare(id, otherKeys, () => {}, never),
    "unusable",
  );
});

Deno.test("prepare() whose store fails at any call leaves nothing that passes for done, leaks nothing, and works the next time", async () => {
  const blobs = new FaultyBlobs();
  const one = world(blobs);
  const { id } = await created(one, { "big.wav": noise(4 * MIB, 12) });
  const before = await blobCount(blobs);
  blobs.callCount = 0;
  await one.archive.prepare(id, keys, () => {}, never);
  const calls = blobs.callCount;
  for (const row of await one.state.fragmentsOf(id, never)) {
    const gone = await one.state.removeFragment(row.planHash, row.index, never);
    for (const blob of gone) await blobs.remove(blob, never);
  }
  // Every call of the beginning and the end, and a sample of the many alike between.
  for (let failAt = 1; failAt <= calls; failAt += failAt % 3 + 1) {
    blobs.callCount = 0;
    blobs.failAt = failAt;
    const code = await one.archive.prepare(id, keys, () => {}, never)
      .then(() => undefined, codeOf);
    blobs.failAt = 0;
    if (code === undefined) break;
    assertEquals(code, "diskFull");
    assertEquals(blobs.openCount, 0, `call ${failAt} leaks`);
    const staged = await one.state.fragmentsOf(id, never);
    // The plan of the first time stays.
    if (staged.length === 0) assertEquals(await blobCount(blobs), before + 1);
  }
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  const bytes = await fragmentBytes(one.archive, plan, 23);
  assertTrue(equal(blake3(bytes), plan.fragments[23]!));
});
