/** Entering a network, and staying in it. */
import {
  type Address,
  codeOf,
  formatAddress,
  keyOf,
  mapBounded,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import { DIALS_MAX, QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import { randomIdInBucket } from "@tesseras/kad";
import type { State } from "@tesseras/state";
import type { NodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import type { Node } from "./node.ts";

/** A way in: an address alone is trusted on first use; with a record the peer's key is pinned. */
export type Entry = Address | NodeRecord;

/** Who let us in. */
export type JoinReport = {
  /** Entries that answered. */
  readonly answered: number;
  readonly tried: number;
  /** Peers known after the self-lookup. */
  readonly known: number;
};

/**
 * Contacts entries, then looks up our own id so that our neighbours know us and we them (Kademlia 2.3).
 *
 * @throws `unreachable` when there were entries and none answered
 */
export async function join(
  node: Node,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<JoinReport> {
  const reasons: string[] = [];
  const results = await mapBounded(
    entries,
    DIALS_MAX / 2,
    async (entry, laneSignal) => {
      try {
        await greet(node, entry, laneSignal);
        return true;
      } catch (error) {
        if (signal.aborted || codeOf(error) === undefined) throw error;
        reasons.push(`${nameOf(entry)}: ${messageOf(error)}`);
        return false;
      }
    },
    signal,
  );
  const answered = results.filter(Boolean).length;
  if (entries.length > 0 && answered === 0) {
    throw new TesserasError(
      "unreachable",
      `Cannot join the network: none of ${entries.length} known peers answered (${
        reasons.slice(0, 3).join("; ")
      })`,
    );
  }
  if (answered > 0) await findNodes(node, node.id, {}, signal);
  return { answered, tried: entries.length, known: node.table.size };
}

/** Looks round in every bucket that has been quiet, for ever. */
export async function refreshForever(
  node: Node,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random } = node.runtime;
  for (;;) {
    await clock.sleep(everyMs / 10, signal);
    const nowMs = clock.monotonicMs();
    for (const bucket of node.table.staleBuckets(nowMs, everyMs)) {
      node.table.touchBucket(bucket, nowMs);
      await findNodes(
        node,
        randomIdInBucket(node.id, bucket, random),
        {},
        signal,
      );
    }
  }
}

/** Peers of an earlier life that may still be there, latest seen first. */
export async function savedPeers(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<readonly NodeRecord[]> {
  const rows = await state.peers(SAVED_PEERS_MAX, signal);
  return node.readRecords(rows.map((row) => row.record));
}

/** Writes the routing table down now and then, so that a restart does not depend on any seed. */
export async function savePeersForever(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await node.runtime.clock.sleep(SAVE_PEERS_MS, signal);
    await savePeers(node, state, signal);
  }
}

/** Writes the routing table down once. */
export async function savePeers(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  const lastSeenMs = node.runtime.clock.nowMs();
  const rows = [...node.table.entries()].slice(0, SAVED_PEERS_MAX)
    .map(({ contact }) => ({
      id: contact.id,
      record: contact.bytes,
      lastSeenMs,
    }));
  if (rows.length > 0) await state.putPeers(rows, signal);
}

/** Enough to find a living one after weeks; the table itself may hold more. */
const SAVED_PEERS_MAX = 200;
/** A crash loses at most this much of what we learned. */
const SAVE_PEERS_MS = 60_000;

async function greet(
  node: Node,
  entry: Entry,
  signal: AbortSignal,
): Promise<void> {
  const pinned = "bytes" in entry
    ? entry
    : await node.peers.firstContact(entry, signal);
  if (keyOf(pinned.id) === keyOf(node.id)) {
    throw new TesserasError("refused", "Cannot greet: that is ourselves");
  }
  using deadline = node.runtime.clock.deadline(2 * QUERY_TIMEOUT_MS, signal);
  const { response } = await node.ask(
    pinned,
    { type: "ping" },
    {},
    deadline.signal,
  );
  node.saw(
    node.records.node(response.record, node.runtime.clock.nowMs()),
  );
}

function nameOf(entry: Entry): string {
  if (!("bytes" in entry)) return formatAddress(entry);
  const address = entry.addresses[0];
  return address === undefined ? keyOf(entry.id) : formatAddress(address);
}
