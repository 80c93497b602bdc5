/** Whether everything that holders acknowledged to a publisher is there, byte for byte. */
import { pathToFileURL } from "node:url";
import { equal, mapBounded, parseTesseraId, toHex } from "@tesseras/core";
import { POW_BITS_DEFAULT } from "@tesseras/core/limits";
import { blake3, type NodeSigner } from "@tesseras/crypto";
import { collectBulk } from "@tesseras/net";
import { dataPaths } from "@tesseras/run";
import type { PlacementRow } from "@tesseras/state";
import { openLibsqlState } from "@tesseras/state/libsql";
import { type Plan, readPlan } from "@tesseras/tessera";
import { assertEquals, assertTrue } from "@tesseras/testing";
import { readNodeRecord } from "@tesseras/wire";
import { openOutsider, type Outsider } from "./outsider.ts";

/** Fragments asked for at once. */
const PARALLEL = 4;

/**
 * Reads the placements in a publisher's database, asks each holder for the fragment it acknowledged and hashes it.
 *
 * @returns how many there are
 */
export async function assertAcknowledgedServed(
  { dataDir, hash, identity }: {
    readonly dataDir: string;
    readonly hash: string;
    /** Who asks. */
    readonly identity: NodeSigner;
  },
  signal: AbortSignal,
): Promise<number> {
  const url = pathToFileURL(dataPaths(dataDir).database).href;
  await using state = await openLibsqlState({ url, worker: false }, signal);
  // Opened anew each time: a connection from before a holder's restart would cost a timeout to find dead.
  await using asker = await openOutsider("127.0.0.1", identity, signal);
  let count = 0;
  for (const row of await state.plansOf(parseTesseraId(hash), signal)) {
    const plan = readPlan(row.bytes);
    const placements = await state.care.placements(plan.hash, signal);
    await mapBounded(
      placements,
      PARALLEL,
      (placement, laneSignal) =>
        assertServed(asker, plan, placement, laneSignal),
      signal,
    );
    count += placements.length;
  }
  return count;
}

async function assertServed(
  asker: Outsider,
  plan: Plan,
  placement: PlacementRow,
  signal: AbortSignal,
): Promise<void> {
  const { index, holder, record, ackedAtMs } = placement;
  const peer = readNodeRecord(record, {
    nowMs: ackedAtMs,
    powBits: POW_BITS_DEFAULT,
  });
  assertTrue(equal(peer.id, holder));
  const { bulk } = await asker.peers.ask(
    peer,
    {
      type: "get_fragment",
      plan: plan.hash,
      index,
      offset: 0,
      length: plan.shardBytes,
    },
    {},
    signal,
  );
  const bytes = await collectBulk(bulk!, signal);
  const wanted = toHex(plan.fragments[index]!);
  assertEquals(toHex(blake3(bytes)), wanted, `fragment ${index}`);
}
