/**
 * Disks that fill up under a store, a fetch, a create and an export: one clear sentence, and nothing half-listed:
 * `deno run -A tests/e2e/full_disk.ts`.
 */
import { join } from "node:path";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { assertAcknowledgedServed } from "./acknowledged.ts";
import {
  type Created,
  type Ended,
  listed,
  type Published,
  runTes,
  sentenceOf,
  tesJson,
} from "./commands.ts";
import { allOf, counted, isWell, type Lab } from "./lab.ts";
import { longRun } from "./long_run.ts";
import { honestIdentity } from "./outsider.ts";

/** The sentence of a full disk, whoever says it. */
const NO_ROOM = /disk is full|no space|no room|are free/i;

/** A store, a node that fetches and a person who creates meet the end of their disks; skipped where mounting is not allowed. */
export async function fullDisk(
  lab: Lab,
  _rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const probe = await Deno.makeTempDir({ dir: lab.dir });
  if (!await mayMount(probe)) {
    return console.log("skipped: mounting a file system is not allowed here");
  }
  await allOf([smallNetwork(lab, say), smallCreator(lab, say)]);
}

async function smallNetwork(
  lab: Lab,
  say: (line: string) => void,
): Promise<void> {
  // No room for a fragment, and no room for another file, which no count of free bytes foretells.
  const few = await smallStore(lab, "few-bytes", "size=300k");
  const crowded = await smallStore(lab, "few-files", "nr_inodes=5");
  await publishPast(lab, [few, crowded], say);
  await smallFetcher(lab, say);
  for (const { name } of [few, crowded]) await lab.cluster.crash(name);
}

/** Starts a store on a disk with no room for a fragment, which does not know it before it tries. */
async function smallStore(
  lab: Lab,
  name: string,
  disk: string,
): Promise<ChildInfo> {
  const dataDir = join(lab.cluster.dir, name);
  return await lab.cluster.add({
    name,
    role: "store",
    dataDir,
    settings: { TESSERAS_REPLICATION_MIN_FREE_SPACE_BYTES: "0" },
    // Laid over its blobs alone: the database and the socket stay where the test can reach them.
    through: await onDisk(join(dataDir, "blobs"), disk),
  }, lab.signal);
}

/** Stores whose disks are full refuse; the publisher goes on to others, and all that was acknowledged is there. */
async function publishPast(
  lab: Lab,
  small: readonly ChildInfo[],
  say: (line: string) => void,
): Promise<void> {
  const { home, signal } = lab;
  const { hash } = await lab.create();
  const ended = await runTes(home, ["--json", "publish", hash]);
  const published: Published = JSON.parse(ended.out);
  assertEquals(published.unplaced, []);
  for (const info of small) {
    const taken = published.holders.filter(({ id }) => id === info.id).length;
    assertEquals(await counted(info, "fragment.stored"), taken);
    const refusal = ended.err.split("\n")
      .find((line) => line.includes(info.id.slice(0, 8))) ?? "";
    assertTrue(refusal.includes("No room left"), ended.err);
    assertTrue(await isWell(info));
    say(`${info.name} took ${taken}: ${refusal}`);
  }
  const identity = await honestIdentity(signal);
  const kept = { dataDir: home, hash, identity };
  assertEquals(await assertAcknowledgedServed(kept, signal), 24);
}

/** A fetch that does not fit says so and lists nothing; with room it goes well. */
async function smallFetcher(
  lab: Lab,
  say: (line: string) => void,
): Promise<void> {
  const { cluster, signal } = lab;
  const { created } = lab.kept;
  const name = "small-fetcher";
  const spec = { role: "node", dataDir: join(cluster.dir, name) } as const;
  const through = await onDisk(join(spec.dataDir, "blobs"), "size=3m");
  const info = await cluster.add({ ...spec, name, through }, signal);
  const ended = await runTes(spec.dataDir, ["--quiet", "fetch", created.hash]);
  assertNoRoom(ended, say);
  assertEquals(await listed(spec.dataDir), []);
  assertTrue(await isWell(info));
  await cluster.crash(name);
  const roomy = "roomy-fetcher";
  await cluster.add({ ...spec, name: roomy }, signal);
  await lab.fetchAndCompare(spec.dataDir, created);
  await cluster.crash(roomy);
}

/** A create or export that does not fit says so and leaves nothing; with room it goes well. */
async function smallCreator(
  lab: Lab,
  say: (line: string) => void,
): Promise<void> {
  const dataDir = await Deno.makeTempDir({ dir: lab.dir });
  await tesJson(dataDir, ["init"]);
  const create = ["create", lab.folder, "--title", lab.title()];
  for (const [folder, disk] of [["blobs", "size=3m"], ["db", "size=40k"]]) {
    const through = await onDisk(join(dataDir, folder!), disk!);
    assertNoRoom(
      await runTes(dataDir, ["--quiet", ...create], { through }),
      say,
    );
    assertEquals(await listed(dataDir), []);
  }
  const { hash } = await tesJson<Created>(dataDir, create);
  await tesJson(dataDir, ["verify", hash]);
  const target = await Deno.makeTempDir({ dir: lab.dir });
  const through = await onDisk(target, "size=3m");
  const exporting = ["--quiet", "export", hash, target];
  assertNoRoom(await runTes(dataDir, exporting, { through }), say);
}

function assertNoRoom(ended: Ended, say: (line: string) => void): void {
  const sentence = sentenceOf(ended);
  assertEquals(ended.code, 1, sentence);
  assertTrue(NO_ROOM.test(sentence), sentence);
  say(sentence);
}

/** A command that alone sees a small file system at a folder, and becomes the program that follows it. */
async function onDisk(
  folder: string,
  options: string,
): Promise<readonly string[]> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const script =
    'mount -t tmpfs -o mode=700,"$1" none "$0" && shift && exec "$@"';
  return ["unshare", "-rm", "sh", "-c", script, folder, options];
}

async function mayMount(folder: string): Promise<boolean> {
  const [program, ...args] = [...await onDisk(folder, "size=1m"), "true"];
  try {
    return (await new Deno.Command(program!, { args }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

if (import.meta.main) await longRun("full disk", fullDisk);
