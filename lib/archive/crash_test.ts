/**
 * Kills processes in the middle of their work on a real disk and database. Takes about ten seconds: each round is a
 * process.
 */
import { equal } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { folderOf, never, noise, SUNDAY } from "@tesseras/testing/archive";
import { openArchive, work } from "@tesseras/testing/archive-crash-child";
import { exportTessera } from "./folder_export.ts";

const CHILD = new URL(
  import.meta.resolve("@tesseras/testing/archive-crash-child"),
).pathname;
const FILES = {
  "folder/a.wav": noise(6_000_000, 31),
  "folder/b.txt": "A warm Sunday",
  "folder/c.jpg": SUNDAY["garden.jpg"],
};
/** When each round kills, as a part of the time the whole work takes. */
const MOMENTS = Array.from({ length: 10 }, (_, at) => (at + 0.5) / 10);

/**
 * Runs the work in a process of its own and kills it so long after it began; without a time, lets it end. Returns how
 * long it worked.
 */
async function run(
  what: string,
  root: string,
  killAfterMs?: number,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, what, root],
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  const { done } = await output.read();
  assertTrue(!done, "the child begins");
  const beganMs = performance.now();
  if (killAfterMs !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, killAfterMs));
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It was faster.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  const status = await child.status;
  const workedMs = performance.now() - beganMs;
  await output.cancel();
  if (killAfterMs === undefined) assertTrue(status.success, `${what} works`);
  return workedMs;
}

/** Every listed tessera must be whole; returns how many there are. */
async function listedWhole(root: string): Promise<number> {
  await using opened = await openArchive(root);
  const rows = await opened.archive.list(never);
  for (const { id } of rows) {
    const report = await opened.archive.verify(id, () => {}, never);
    assertTrue(report.passed, report.problems.join());
  }
  return rows.length;
}

for (const what of ["create", "import"] as const) {
  Deno.test(`a process killed in the middle of ${what} lists no part of a tessera, and the next one succeeds`, async () => {
    await using folder = await folderOf(FILES);
    await using whole = await folderOf(FILES);
    await work("create", whole.path);
    await exportFrom(whole.path, `${folder.path}/export`);
    await exportFrom(whole.path, `${whole.path}/export`);
    await using timing = await folderOf(FILES);
    await exportFrom(whole.path, `${timing.path}/export`);
    const wholeMs = await run(what, timing.path);
    assertEquals(await listedWhole(timing.path), 1);
    for (const moment of MOMENTS) {
      await run(what, folder.path, moment * wholeMs);
      await listedWhole(folder.path);
    }
    await work(what, folder.path);
    assertEquals(await listedWhole(folder.path), 1);
    await checkSwept(folder.path);
  });
}

Deno.test("a process killed in the middle of prepare leaves a plan that the next one completes", async () => {
  await using folder = await folderOf(FILES);
  await work("create", folder.path);
  const wholeMs = await run("prepare", folder.path);
  await unstage(folder.path);
  for (const moment of MOMENTS) {
    await run("prepare", folder.path, moment * wholeMs);
    assertEquals(await listedWhole(folder.path), 1);
    await unstageSome(folder.path);
  }
  await work("prepare", folder.path);
  await using opened = await openArchive(folder.path);
  const [row] = await opened.archive.list(never);
  assertTrue(row);
  assertEquals((await opened.state.plansOf(row.id, never)).length, 1);
  const { keys } = await import("@tesseras/testing/archive");
  const plan = await opened.archive.prepare(row.id, keys, () => {}, never);
  for (const [index, hash] of plan.fragments.entries()) {
    await using reader = await opened.archive.openFragment(plan, index, never);
    assertTrue(reader, `fragment ${index} is there`);
    const bytes = new Uint8Array(reader.bytes);
    for (let at = 0; at < bytes.length;) {
      at += await reader.read(at, bytes.subarray(at), never);
    }
    assertTrue(equal(blake3(bytes), hash), `fragment ${index} is the plan's`);
  }
});

async function exportFrom(root: string, destination: string): Promise<void> {
  await using opened = await openArchive(root);
  const [row] = await opened.archive.list(never);
  assertTrue(row);
  const source = await opened.archive.source(row.id, never);
  await exportTessera({ id: row.id, source, destination }, () => {}, never);
}

/** What killed processes left is found by two sweeps; what is listed stays. */
async function checkSwept(root: string): Promise<void> {
  {
    await using opened = await openArchive(root);
    await opened.archive.sweep(0, never);
    await opened.archive.sweep(0, never);
    const named = new Set<string>();
    for (const { id } of await opened.archive.list(never)) {
      for (const { hash } of await opened.state.filesOf(id, never)) {
        named.add(hash.toHex());
      }
    }
    for await (const { hash } of opened.blobs.list(never)) {
      assertTrue(named.has(hash.toHex()), "a blob without a row was left");
    }
  }
  assertEquals(await listedWhole(root), 1);
}

/** Forgets the staged fragments, so that the next prepare has work to do. */
async function unstage(root: string): Promise<void> {
  await using opened = await openArchive(root);
  const [row] = await opened.archive.list(never);
  assertTrue(row);
  for (const kept of await opened.state.fragmentsOf(row.id, never)) {
    const gone = await opened.state.removeFragment(
      kept.planHash,
      kept.index,
      never,
    );
    for (const blob of gone) await opened.blobs.remove(blob, never);
  }
}

/** Forgets one staged fragment, if there is any. */
async function unstageSome(root: string): Promise<void> {
  await using opened = await openArchive(root);
  const [row] = await opened.archive.list(never);
  assertTrue(row);
  const [kept] = await opened.state.fragmentsOf(row.id, never);
  if (kept === undefined) return;
  await opened.state.removeFragment(kept.planHash, kept.index, never);
}
