/** Checking and repairing a store: rot, loss, a lost index, and what must never happen, something deleted. */
import {
  Counters,
  equal,
  type Hash,
  keyOf,
  nodeId,
  SeededRandom,
  silentLog,
  tesseraId,
  toHex,
} from "@tesseras/core";
import { blake3, creatorKeysFromSeed, nobleMlDsa } from "@tesseras/crypto";
import { MemoryState, NOBODY, type State } from "@tesseras/state";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import {
  created,
  keys,
  never,
  noise,
  SUNDAY,
  type World,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { type CheckReport, checkStore } from "./check.ts";

const stranger = creatorKeysFromSeed(new Uint8Array(32).fill(9));
const peer = nodeId(new Uint8Array(20).fill(5));

function check(
  { blobs, state, clock }: Pick<World, "blobs" | "state" | "clock">,
  repair: boolean,
): Promise<CheckReport> {
  const runtime = {
    clock,
    random: new SeededRandom(1),
    log: silentLog,
    counters: new Counters(),
  };
  const order = { repair, onProgress: () => {} };
  const suite = nobleMlDsa;
  return checkStore({ blobs, state, suite, runtime }, order, never);
}

/** The same disk with an index that knows nothing. */
function withoutIndex(one: World): World {
  return { ...world(one.blobs, new MemoryState()), clock: one.clock };
}

async function keepBlob({ blobs }: World, content: Uint8Array): Promise<Hash> {
  await using writer = await blobs.create(never);
  await writer.write(content, never);
  return (await writer.commit(never)).hash;
}

/** Keeps some fragments for a peer, as the storage role does. */
async function held(
  one: World,
  seed: number,
  indices: readonly number[],
): Promise<Plan> {
  const shards = Array.from({ length: 24 }, (_, at) => noise(300_000, at));
  const plan = signPlan(
    draftPlan({
      tesseraId: tesseraId(blake3(new Uint8Array([seed]))),
      packBytes: 300_000 * 16,
      fragments: shards.map((shard) => blake3(shard)),
    }),
    stranger,
  );
  await keepBlob(one, plan.bytes);
  for (const index of indices) {
    const blob = await keepBlob(one, shards[index]!);
    await one.state.keepFragment(planRow(plan), {
      planHash: plan.hash,
      index,
      tesseraId: plan.tesseraId,
      blob,
      bytes: plan.shardBytes,
      owner: peer,
      subnet: undefined,
      storedAtMs: 1,
      isRepair: false,
    }, never);
  }
  return plan;
}

function planRow({ hash, tesseraId, bytes }: Plan) {
  return { hash, tesseraId, bytes };
}

async function indicesOf(state: State, plan: Plan): Promise<readonly number[]> {
  const rows = await state.fragmentsOf(plan.tesseraId, never);
  return rows.map(({ index }) => index);
}

async function names({ blobs }: World): Promise<ReadonlySet<string>> {
  const entries = await Array.fromAsync(blobs.list(never));
  return new Set(entries.map(({ hash }) => keyOf(hash)));
}

Deno.test("a sound store passes, and neither check changes it", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  await one.archive.prepare(id, keys, () => {}, never);
  const plan = await held(one, 1, [0, 7]);
  const before = await names(one);
  for (const repair of [false, true]) {
    const report = await check(one, repair);
    assertTrue(report.passed);
    assertEquals(report.blobCount, before.size);
    assertEquals(report.unlisted, { count: 0, bytes: 0 });
    assertEquals(report.planCount, 0);
    assertEquals(report.found, { tesseras: [], fragmentCount: 0 });
  }
  assertEquals(await names(one), before);
  assertEquals(await indicesOf(one.state, plan), [0, 7]);
});

Deno.test("a flipped bit is found; with repair the blob goes aside whole and is promised no more", async () => {
  const one = world();
  const plan = await held(one, 1, [0, 7]);
  const bad = plan.fragments[7]!;
  one.blobs.rot(bad, 299_999);
  const seen = await check(one, false);
  assertTrue(!seen.passed);
  assertEquals(seen.damaged.map(({ hash }) => toHex(hash)), [toHex(bad)]);
  assertEquals(seen.lostFragmentCount, 1);
  assertEquals(one.blobs.quarantined, []);
  assertEquals(await indicesOf(one.state, plan), [0, 7]);
  const repaired = await check(one, true);
  assertTrue(repaired.passed);
  const [aside] = one.blobs.quarantined;
  assertEquals(aside?.content.length, 300_000);
  assertTrue(aside!.note.includes(toHex(bad)));
  assertEquals(await indicesOf(one.state, plan), [0]);
  assertTrue((await check(one, false)).passed);
});

Deno.test("a fragment whose bytes are gone is forgotten, and its plan stays for the others", async () => {
  const one = world();
  const plan = await held(one, 1, [0, 7]);
  await one.blobs.remove(plan.fragments[0]!, never);
  const report = await check(one, true);
  assertEquals(report.lostFragmentCount, 1);
  assertEquals(await indicesOf(one.state, plan), [7]);
  assertTrue(await one.state.plan(plan.hash, never) !== undefined);
});

Deno.test("a damaged tessera is named with its files, and stays listed", async () => {
  const one = world();
  const { id, kept } = await created(one, SUNDAY);
  one.blobs.rot(kept[0]!.hash, 3);
  await one.blobs.remove(kept[1]!.hash, never);
  const report = await check(one, true);
  assertTrue(!report.passed);
  assertEquals(report.damagedTesseras.length, 1);
  assertEquals(report.damagedTesseras[0]!.paths.length, 2);
  assertTrue(equal((await one.archive.list(never))[0]!.id, id));
  assertEquals(one.blobs.quarantined.length, 1);
});

Deno.test("a lost index is made again from the disk: tesseras that verify, fragments by their plans", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const big = { "big.wav": noise(5_000_000, 3) };
  const { id: bigId } = await created(one, big, { title: "Big" });
  const staged = await one.archive.prepare(bigId, keys, () => {}, never);
  const plan = await held(one, 1, [0, 7, 23]);
  const before = await names(one);
  const lost = withoutIndex(one);
  const seen = await check(lost, false);
  assertTrue(!seen.passed);
  assertEquals(seen.found.tesseras.length, 2);
  assertEquals((await lost.archive.list(never)).length, 0);
  const report = await check(lost, true);
  assertTrue(report.passed);
  assertEquals(await names(one), before);
  assertEquals(
    new Set(report.found.tesseras.map((found) => toHex(found))),
    new Set([toHex(id), toHex(bigId)]),
  );
  assertEquals(report.found.fragmentCount, 8 + 3);
  for (const each of [id, bigId]) {
    const verified = await lost.archive.verify(each, () => {}, never);
    assertTrue(verified.passed, verified.problems.join());
    assertEquals(
      await lost.state.filesOf(each, never),
      await one.state.filesOf(each, never),
    );
  }
  // What we staged is ours again; what was kept for a peer is kept for somebody nobody knows.
  const [own] = await lost.state.fragmentsOf(bigId, never);
  assertEquals(own?.owner, undefined);
  assertEquals(await indicesOf(lost.state, staged), [
    ...Array(8).keys().map((at) => 16 + at),
  ]);
  const rows = await lost.state.fragmentsOf(plan.tesseraId, never);
  assertEquals(rows.map(({ index }) => index), [0, 7, 23]);
  assertTrue(rows.every(({ owner }) => owner && equal(owner, NOBODY)));
  assertTrue((await check(lost, false)).passed);
});

Deno.test("nothing damaged or half there is listed again, and all of it stays on the disk", async () => {
  const one = world();
  const { id, kept } = await created(one, SUNDAY);
  const plan = await held(one, 1, [0, 7]);
  one.blobs.rot(kept[0]!.hash, 3);
  one.blobs.rot(plan.fragments[0]!, 3);
  const before = (await names(one)).size;
  const lost = withoutIndex(one);
  const report = await check(lost, true);
  assertEquals(report.found.tesseras, []);
  assertEquals(await lost.state.tessera(id, never), undefined);
  assertEquals(await indicesOf(lost.state, plan), [7]);
  assertEquals((await names(one)).size + one.blobs.quarantined.length, before);
});

Deno.test("bytes that only look like a MANIFEST, a plan or a signature list nothing", async () => {
  const one = world();
  const text = new TextEncoder();
  const plan = await held(one, 1, [3]);
  const forged = plan.bytes.slice();
  forged[forged.length - 1]! ^= 1;
  const liars = [
    text.encode("TESSERA MANIFEST v1\nwhatever\n"),
    text.encode("TESSERA PLAN v1\nwhatever"),
    forged,
    noise(64, 1),
    noise(3_309, 2),
  ];
  for (const liar of liars) await keepBlob(one, liar);
  const lost = withoutIndex(one);
  const report = await check(lost, true);
  assertEquals(report.found, { tesseras: [], fragmentCount: 1 });
  assertEquals(await indicesOf(lost.state, plan), [3]);
  // Plan and fragment are in the index again.
  assertEquals(report.unlisted.count, liars.length + 2);
  const { unlisted } = await check(lost, false);
  assertEquals(unlisted.count, liars.length);
});

Deno.test("of whole copies, which are the same bytes, one is remembered", async () => {
  const one = world();
  const content = noise(1_000, 4);
  const plan = signPlan(
    draftPlan({
      tesseraId: tesseraId(blake3(new Uint8Array([7]))),
      packBytes: content.length,
      fragments: Array<Hash>(7).fill(blake3(content)),
    }),
    stranger,
  );
  await keepBlob(one, content);
  await keepBlob(one, plan.bytes);
  await check(one, true);
  assertEquals(await indicesOf(one.state, plan), [0]);
  assertTrue((await check(one, false)).passed);
});

Deno.test("a plan that is in the index alone is written beside its fragments", async () => {
  const one = world();
  const plan = await held(one, 1, [0]);
  await one.blobs.remove(plan.hash, never);
  assertEquals((await check(one, true)).planCount, 1);
  assertEquals(await one.blobs.size(plan.hash, never), plan.bytes.length);
});
