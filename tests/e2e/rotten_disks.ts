/**
 * Disks that change what they keep: one byte in every fragment of two holders. A newcomer gets every byte back, and each
 * holder notices and gives no such fragment twice: `deno run -A tests/e2e/rotten_disks.ts --rounds 5 [--seed S]`.
 */
import { join } from "node:path";
import {
  codeOf,
  equal,
  type Hash,
  parseHash,
  type Random,
  shuffled,
} from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { blake3 } from "@tesseras/crypto";
import { collectBulk } from "@tesseras/net";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { dataPaths } from "@tesseras/run";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { NodeRecord } from "@tesseras/wire";
import { counted, type Lab, until } from "./lab.ts";
import { longRun } from "./long_run.ts";
import {
  honestIdentity,
  openOutsider,
  type Outsider,
  recordAt,
} from "./outsider.ts";

/** Holders whose disks rot at once. */
const ROTTEN = 2;
/** More than any fragment of these tests has. */
const WHOLE = MIB;

/** In every round a tessera is published, two holders' copies rot, and a newcomer fetches it all the same. */
export async function rottenDisks(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { random, signal } = lab;
  const identity = await honestIdentity(signal);
  for (let round = 1; round <= rounds; round++) {
    const newcomer = await lab.newcomer();
    const stores = lab.stores.map((name) => lab.info(name));
    const before = new Map<string, Set<string>>();
    for (const info of stores) before.set(info.id, await blobsOf(info));
    // Of bytes that no other tessera has: equal fragments are one file, and would rot for all of them.
    const folder = await lab.otherFolder();
    const { created, plan } = await lab.publish(folder);
    // Not every store need hold some of it: one that was slow just then was passed over.
    const holders = stores.filter((info) =>
      plan.holders.some(({ id }) => id === info.id)
    );
    assertTrue(holders.length >= ROTTEN);
    const rotten = shuffled(holders, random).slice(0, ROTTEN);
    const noticedBefore = await Promise.all(rotten.map(noticedBy));
    for (const info of rotten) {
      const after = await blobsOf(info);
      const fresh = after.difference(before.get(info.id)!);
      assertTrue(fresh.size > 0, `${info.name} holds some of it`);
      for (const path of fresh) await flipByte(path, random);
    }
    const fetched = await lab.fetchAndCompare(
      newcomer.dataDir,
      created,
      folder,
    );
    const isRotten = ({ id }: { readonly id: string }) =>
      rotten.some((info) => info.id === id);
    const { used } = fetched;
    assertTrue(used.every(({ holder }) => !isRotten({ id: holder })));
    await using asker = await openOutsider("127.0.0.1", identity, signal);
    for (const [at, info] of rotten.entries()) {
      const record = await recordAt(asker, info, signal);
      const hash = parseHash(plan.plan);
      const indices = plan.holders.filter(({ id }) => id === info.id)
        .map(({ index }) => index);
      for (const index of indices) {
        await assertGoneAfterOneLook(asker, record, { hash, index }, signal);
      }
      const noticed = await noticedBy(info) - noticedBefore[at]!;
      assertEquals(noticed, indices.length);
      say(`${info.name} noticed ${noticed} rotten fragments`);
    }
  }
}

function noticedBy(info: ChildInfo): Promise<number> {
  return counted(info, "fragment.corrupt");
}

/** Whoever reads a rotten fragment makes its holder notice; the next is told that it is not there. */
async function assertGoneAfterOneLook(
  asker: Outsider,
  holder: NodeRecord,
  { hash, index }: { readonly hash: Hash; readonly index: number },
  signal: AbortSignal,
): Promise<void> {
  const look = async (): Promise<string> => {
    const request = {
      type: "get_fragment",
      plan: hash,
      index,
      offset: 0,
      length: WHOLE,
    } as const;
    try {
      const { bulk } = await asker.peers.ask(holder, request, {}, signal);
      await collectBulk(bulk!, signal);
      return "served";
    } catch (error) {
      return codeOf(error) ?? "unknown";
    }
  };
  // Struck out when the last octet was read, which may be a moment after it was sent.
  await until(`fragment ${index} is absent`, async () => {
    return await look() === "absent";
  });
}

/** The files of the blobs that a process keeps. */
async function blobsOf({ dataDir }: ChildInfo): Promise<Set<string>> {
  const { blobs } = dataPaths(dataDir);
  const found = new Set<string>();
  for await (const { name } of Deno.readDir(blobs)) {
    if (!/^[0-9a-f]{2}$/.test(name)) continue;
    for await (const file of Deno.readDir(join(blobs, name))) {
      found.add(join(blobs, name, file.name));
    }
  }
  return found;
}

async function flipByte(path: string, random: Random): Promise<void> {
  const bytes = await Deno.readFile(path);
  const before = blake3(bytes);
  const at = random.below(bytes.length);
  bytes[at] = bytes[at]! ^ (1 << random.below(8));
  assertTrue(!equal(blake3(bytes), before));
  await Deno.chmod(path, 0o600);
  await Deno.writeFile(path, bytes);
}

if (import.meta.main) await longRun("rotten disks", rottenDisks);
