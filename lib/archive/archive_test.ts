import { assert, equal, keyOf } from "@tesseras/core";
import { readPlan, signPlan } from "@tesseras/tessera";
import {
  blobCount,
  created,
  keys,
  never,
  noise,
  photo,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";

Deno.test("verify() names the file whose blob rotted or is gone, and passes the others", async () => {
  const one = world();
  const { id, kept } = await created(one, SUNDAY);
  const [bell, garden] = kept;
  assert(bell && garden, "three files are kept");
  one.blobs.rot(bell.hash, 50);
  await one.blobs.remove(garden.hash, never);
  const report = await one.archive.verify(id, () => {}, never);
  assertTrue(!report.passed);
  const bad = report.files.filter(({ status }) => status !== "ok");
  assertEquals(
    new Set(bad.map(({ path, status }) => `${status} ${path}`)),
    new Set([
      `failed memories/${keyOf(bell.hash)}/media.wav`,
      `missing memories/${keyOf(garden.hash)}/media.jpg`,
    ]),
  );
});

Deno.test("every blob of a tessera is looked at: a flip in any of them is found by verify() and by source()", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  for (const { path, hash } of await one.state.filesOf(id, never)) {
    one.blobs.rot(hash, 5);
    const source = await one.archive.source(id, never);
    const read = async (): Promise<void> => {
      for await (const _ of source.read(path, never));
    };
    await assertRejectsCode(
      read(),
      "corrupt",
      new RegExp(`^Cannot read ${path}: its hash is`),
    );
    if (path !== "MANIFEST") {
      const report = await one.archive.verify(id, () => {}, never);
      assertTrue(!report.passed, `verify() did not see ${path}`);
    }
    one.blobs.rot(hash, 5);
  }
  assertTrue((await one.archive.verify(id, () => {}, never)).passed);
});

Deno.test("the pack is the same from any archive and in any pieces", async () => {
  const one = world();
  const { id, row } = await created(one, SUNDAY);
  await using pack = await one.archive.pack(id, never);
  assertEquals(pack.bytes, row.packBytes);
  const whole = new Uint8Array(pack.bytes);
  await pack.read(0, whole, never);
  const pieces = new Uint8Array(pack.bytes);
  for (let at = 0; at < pieces.length; at += 777) {
    await pack.read(at, pieces.subarray(at, at + 777), never);
  }
  assertTrue(equal(pieces, whole));
});

Deno.test("remove() frees everything of a tessera and leaves what another shares", async () => {
  const one = world();
  const shared = { "shared.jpg": photo() };
  const first = await created(one, {
    ...shared,
    "big.wav": noise(5_000_000, 1),
  });
  await one.archive.prepare(first.id, keys, () => {}, never);
  const second = await created(one, { ...shared, "b.txt": "second" });
  assertTrue(await one.archive.remove(first.id, never));
  assertTrue(!await one.archive.remove(first.id, never));
  assertEquals(await one.state.plansOf(first.id, never), []);
  await assertRejectsCode(one.archive.show(first.id, never), "missing");
  assertTrue((await one.archive.verify(second.id, () => {}, never)).passed);
  await one.archive.remove(second.id, never);
  assertEquals(await blobCount(one.blobs), 0);
});

Deno.test("remove() leaves a fragment that is kept for somebody else, and its plan", async () => {
  const one = world();
  const { id } = await created(one, { "big.wav": noise(5_000_000, 2) });
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  const other = world();
  const fragment = await one.archive.openFragment(plan, 3, never);
  assert(fragment, "a data shard can be cut");
  await using reader = fragment;
  const bytes = new Uint8Array(reader.bytes);
  await reader.read(0, bytes, never);
  await using writer = await other.blobs.create(never);
  await writer.write(bytes, never);
  const { hash } = await writer.commit(never, plan.fragments[3]);
  const row = { hash: plan.hash, tesseraId: id, bytes: plan.bytes };
  await other.state.putPlan(row, never);
  await other.state.putFragment({
    planHash: plan.hash,
    index: 3,
    tesseraId: id,
    blob: hash,
    bytes: bytes.length,
    owner: plan.hash.slice(0, 20) as never,
    subnet: undefined,
    storedAtMs: 0,
    isRepair: false,
  }, never);
  await using pack = await one.archive.pack(id, never);
  await other.archive.importPack(pack, plan, never);
  assertEquals((await other.archive.list(never))[0]?.origin, "fetched");
  await other.archive.remove(id, never);
  await using kept = await other.archive.openFragment(plan, 3, never);
  assertEquals(kept?.bytes, plan.shardBytes);
  assertEquals(await other.archive.openFragment(plan, 2, never), undefined);
});

Deno.test("importPack() refuses a plan that the tessera's creator did not sign, and lists nothing", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  const { otherKeys } = await import("@tesseras/testing/archive");
  const stranger = signPlan(plan, otherKeys);
  await using pack = await one.archive.pack(id, never);
  const other = world();
  await assertRejectsCode(
    other.archive.importPack(pack, stranger, never),
    "forged",
    /key is not the creator's$/,
  );
  assertEquals(await other.archive.list(never), []);
  await other.archive.importPack(pack, readPlan(plan.bytes), never);
  assertEquals((await other.state.plansOf(id, never)).length, 1);
});

Deno.test("sweep() removes what killed work left, after the grace and not before", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const kept = await blobCount(one.blobs);
  await using writer = await one.blobs.create(never);
  await writer.write(noise(100, 5), never);
  await writer.commit(never);
  const graceMs = 3_600_000;
  assertEquals(await one.archive.sweep(graceMs, never), {
    waitingCount: 1,
    removedCount: 0,
  });
  await one.clock.advance(graceMs - 1);
  assertEquals((await one.archive.sweep(graceMs, never)).removedCount, 0);
  await one.clock.advance(1);
  assertEquals(await one.archive.sweep(graceMs, never), {
    waitingCount: 0,
    removedCount: 1,
  });
  assertEquals(await blobCount(one.blobs), kept);
  assertTrue((await one.archive.verify(id, () => {}, never)).passed);
});

Deno.test("sweep() leaves what came to be needed meanwhile", async () => {
  const one = world();
  const { id } = await created(one, SUNDAY);
  const row = await one.state.tessera(id, never);
  const files = await one.state.filesOf(id, never);
  assert(row, "it is listed");
  // As another process has it before its rows are written.
  await one.state.removeTessera(id, never);
  await one.archive.sweep(0, never);
  await one.state.addTessera(row, files, never);
  await one.clock.advance(1000);
  assertEquals((await one.archive.sweep(0, never)).removedCount, 0);
  assertTrue((await one.archive.verify(id, () => {}, never)).passed);
});

Deno.test("sweep() while a create runs takes nothing from under it", async () => {
  const one = world();
  let sweeps = 0;
  const sweeping: Promise<unknown>[] = [];
  const { folderOf, orderOf } = await import("@tesseras/testing/archive");
  const { scanFolder } = await import("./folder_scan.ts");
  await using folder = await folderOf({
    ...SUNDAY,
    "a.wav": noise(400_000, 4),
  });
  const scan = await scanFolder(folder.path, never);
  const report = await one.archive.create(orderOf(scan), keys, () => {
    sweeps++;
    sweeping.push(one.archive.sweep(0, never));
  }, never);
  await Promise.all(sweeping);
  assertTrue(sweeps > 3);
  assertTrue((await one.archive.verify(report.id, () => {}, never)).passed);
});

Deno.test("show() tells that the store lost what it would show", async () => {
  const one = world();
  const { id, row } = await created(one, SUNDAY);
  one.blobs.rot(row.manifest, 100);
  await assertRejectsCode(
    one.archive.show(id, never),
    "corrupt",
    /^Cannot read MANIFEST: its hash is/,
  );
  one.blobs.rot(row.manifest, 100);
  const files = await one.state.filesOf(id, never);
  const meta = files.find(({ path }) => path.endsWith("meta.json"));
  assert(meta, "every memory has one");
  await one.blobs.remove(meta.hash, never);
  await assertRejectsCode(
    one.archive.show(id, never),
    "corrupt",
    /meta.json: it is gone from the store/,
  );
});
