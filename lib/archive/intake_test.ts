import { Counters, equal, SeededRandom, silentLog, utf8 } from "@tesseras/core";
import type { Runtime } from "@tesseras/core";
import {
  blobCount,
  created,
  never,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { Holds, type Keepers, removeUnneeded } from "./holds.ts";
import { Intake } from "./intake.ts";
import { addRows } from "./listing.ts";

function keepersOf(one: ReturnType<typeof world>) {
  const keepers: Keepers = {
    blobs: one.blobs,
    state: one.state,
    holds: new Holds(),
  };
  const runtime: Runtime = {
    clock: one.clock,
    random: new SeededRandom(1),
    log: silentLog,
    counters: new Counters(),
  };
  return { keepers, runtime };
}

Deno.test("what one intake has in hand, nobody else in the process removes", async () => {
  const one = world();
  const { keepers, runtime } = keepersOf(one);
  await using mine = new Intake(keepers, runtime);
  const { hash } = await mine.add(utf8("shared"), never);
  {
    await using theirs = new Intake(keepers, runtime);
    await theirs.add(utf8("shared"), never);
    await theirs.add(utf8("their own"), never);
    assertEquals(await removeUnneeded(keepers, [hash], never), 0);
  }
  // Theirs failed and is gone; what we share is still here.
  assertEquals(await blobCount(one.blobs), 1);
  assertTrue(await one.blobs.size(hash, never) !== undefined);
});

Deno.test("an intake that is not kept takes its blobs along, and one that is leaves them", async () => {
  const one = world();
  const { keepers, runtime } = keepersOf(one);
  {
    await using lost = new Intake(keepers, runtime);
    await lost.add(utf8("lost"), never);
  }
  assertEquals(await blobCount(one.blobs), 0);
  {
    await using kept = new Intake(keepers, runtime);
    await kept.add(utf8("kept"), never);
    await kept.keep(never);
  }
  assertEquals(await blobCount(one.blobs), 1);
});

Deno.test("a tessera that lost a blob to another process is not listed", async () => {
  const one = world();
  const { id, row } = await created(one, SUNDAY);
  const files = await one.state.filesOf(id, never);
  const contents = [];
  for (const { hash } of files) {
    await using reader = await one.blobs.open(hash, never);
    assertTrue(reader);
    const bytes = new Uint8Array(reader.bytes);
    await reader.read(0, bytes, never);
    contents.push(bytes);
  }
  await one.archive.remove(id, never);
  const { keepers, runtime } = keepersOf(one);
  {
    await using intake = new Intake(keepers, runtime);
    for (const bytes of contents) await intake.add(bytes, never);
    // Another process knows nothing of what is in hand here.
    await one.blobs.remove(files[3]!.hash, never);
    await assertRejectsCode(
      addRows(keepers, intake, { row, files }, never),
      "inUse",
      /another process removed 1 of them meanwhile; try again$/,
    );
  }
  assertEquals(await one.archive.list(never), []);
  assertEquals(await blobCount(one.blobs), 0);
});

Deno.test("work that is cancelled right before its listing lists nothing", async () => {
  const one = world();
  const { id, row } = await created(one, SUNDAY);
  const files = await one.state.filesOf(id, never);
  await one.archive.remove(id, never);
  const { keepers, runtime } = keepersOf(one);
  await using intake = new Intake(keepers, runtime);
  await assertRejectsCode(
    addRows(keepers, intake, { row, files }, AbortSignal.abort()),
    "cancelled",
  );
  assertEquals(await one.archive.list(never), []);
});

Deno.test("a blob is taken in whole or refused by its expected hash", async () => {
  const one = world();
  const { keepers, runtime } = keepersOf(one);
  await using intake = new Intake(keepers, runtime);
  const { hash } = await intake.add(utf8("right"), never);
  await assertRejectsCode(intake.add(utf8("wrong"), never, hash), "corrupt");
  const again = await intake.add(utf8("right"), never, hash);
  assertTrue(equal(again.hash, hash));
});
