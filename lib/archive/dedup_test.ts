/** Every byte once, counted on a real disk. */
import { openDiskBlobs } from "@tesseras/blobs/disk";
import { type Hash, keyOf, nodeId, tesseraId } from "@tesseras/core";
import { blake3 } from "@tesseras/crypto";
import { MemoryState } from "@tesseras/state";
import { draftPlan, type Plan, signPlan } from "@tesseras/tessera";
import {
  created,
  keys,
  never,
  noise,
  otherKeys,
  world,
} from "@tesseras/testing/archive";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { Holds, removeUnneeded } from "./holds.ts";

/** Bytes of all files below a folder. */
async function bytesOn(folder: string): Promise<number> {
  let bytes = 0;
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    bytes += entry.isDirectory
      ? await bytesOn(path)
      : (await Deno.stat(path)).size;
  }
  return bytes;
}

function copiesOf(content: Uint8Array, creator: typeof keys): Plan {
  return signPlan(
    draftPlan({
      tesseraId: tesseraId(blake3(content)),
      packBytes: content.length,
      fragments: Array<Hash>(7).fill(blake3(content)),
    }),
    creator,
  );
}

Deno.test("the same bytes in two tesseras and in fragments of two plans lie on the disk once, until the last of them goes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_dedup_" });
  try {
    await using blobs = await openDiskBlobs(folder, never);
    const state = new MemoryState();
    const one = world(blobs, state);
    const shared = noise(200_000, 1);
    const files = { "shared.wav": shared };
    const first = await created(one, { ...files, "a.txt": "first" });
    const alone = await bytesOn(folder);
    const second = await created(
      one,
      { ...files, "b.txt": "second" },
      { title: "Another" },
    );
    const both = await bytesOn(folder);
    assertTrue(both - alone < 50_000, `${both - alone} bytes more`);
    // The very same bytes again as what two strangers want kept, three times over.
    for (const plan of [copiesOf(shared, keys), copiesOf(shared, otherKeys)]) {
      const { hash, tesseraId, bytes } = plan;
      for (const index of [0, 1, 5]) {
        await using writer = await blobs.create(never, "cold");
        await writer.write(shared, never);
        const { hash: blob } = await writer.commit(never);
        await state.keepFragment({ hash, tesseraId, bytes }, {
          planHash: hash,
          index,
          tesseraId,
          blob,
          bytes: shared.length,
          owner: nodeId(new Uint8Array(20).fill(1)),
          subnet: undefined,
          storedAtMs: 1,
          isRepair: false,
        }, never);
      }
    }
    assertEquals(await bytesOn(folder), both);
    const named = new Map<string, number>();
    for (const { id } of [first, second]) {
      for (const { hash, bytes } of await state.filesOf(id, never)) {
        named.set(keyOf(hash), bytes);
      }
    }
    assertEquals(both, named.values().reduce((sum, bytes) => sum + bytes, 0));
    for (const { id } of [first, second]) {
      assertTrue(await one.archive.remove(id, never));
    }
    assertEquals(await bytesOn(folder), shared.length);
    const keepers = { blobs, state, holds: new Holds() };
    for (const row of await state.fragments(undefined, 100, never)) {
      assertEquals(await bytesOn(folder), shared.length);
      const gone = await state.removeFragment(row.planHash, row.index, never);
      await removeUnneeded(keepers, gone, never);
    }
    assertEquals(await bytesOn(folder), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
