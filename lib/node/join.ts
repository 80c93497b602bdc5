/** Entering a network, and staying in it. */
import {
  type Address,
  codeOf,
  equal,
  formatAddress,
  keyOf,
  mapBounded,
  messageOf,
  TesserasError,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  DIALS_MAX,
  LOOKUP_PARALLEL,
  NODE_RECORD_TTL_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { BUCKET_COUNT, bucketIndex, randomIdInBucket } from "@tesseras/kad";
import type { State } from "@tesseras/state";
import { type NodeRecord, readNodeRecord } from "@tesseras/wire";
import { findNodes } from "./find.ts";
import { reunite } from "./lost.ts";
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

/** How long others are waited for once the first has let us in and we have looked round: a bare address takes about ten trips, 300 ms each on the slowest lines. */
const JOIN_LINGER_MS = 3_000;

/**
 * Contacts entries, then looks up our own id so that our neighbours know us and we them (Kademlia 2.3). The dead among the
 * entries do not hold it up; with several that answered the node looks round once more afterwards, because the first may be a liar's.
 *
 * @throws `unreachable` when there were entries and none answered
 */
export async function join(
  node: Node,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<JoinReport> {
  const reasons: string[] = [];
  const enough = new AbortController();
  using held = new DisposableStack();
  let answered = 0;
  const greetOne = async (
    entry: Entry,
    laneSignal: AbortSignal,
  ): Promise<void> => {
    if (enough.signal.aborted) return;
    try {
      await greet(node, entry, AbortSignal.any([laneSignal, enough.signal]));
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) === undefined) throw error;
      reasons.push(`${nameOf(entry)}: ${messageOf(error)}`);
      return;
    }
    if (++answered > 1) return;
    await findNodes(node, node.id, {}, laneSignal);
    const linger = held.use(
      node.runtime.clock.deadline(JOIN_LINGER_MS, signal),
    );
    linger.signal.addEventListener("abort", () => enough.abort(), {
      once: true,
    });
  };
  await mapBounded(entries, DIALS_MAX / 2, greetOne, signal);
  if (entries.length > 0 && answered === 0) {
    throw new TesserasError(
      "unreachable",
      `Cannot join the network: none of ${entries.length} known peers answered (${
        reasons.slice(0, 3).join("; ")
      })`,
    );
  }
  if (answered > 1) {
    // In the background: the first look may have been a good one, and the dead it meets again take their time.
    node.spawn(async (nodeSignal) => {
      await findNodes(node, node.id, {}, nodeSignal);
    });
  }
  return { answered, tried: entries.length, known: node.table.size };
}

/** Looks round in every bucket that has been quiet, renews records before they run out, and asks for lost peers, for ever. */
export async function refreshForever(
  node: Node,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = node.runtime;
  for (;;) {
    await clock.sleep(everyMs / 10, signal);
    await lookRound(node, everyMs, signal);
    await renewRecords(node, signal);
    await reunite(node, signal);
  }
}

/**
 * Looks up an id in every bucket that was quiet for so long and can hold anybody. All buckets nearer than the last of our own
 * neighbours are seen at once by a lookup of our own id.
 */
async function lookRound(
  node: Node,
  quietMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random } = node.runtime;
  const buckets = node.table.staleBuckets(clock.monotonicMs(), quietMs);
  if (buckets.length === 0) return;
  const { closest } = await findNodes(node, node.id, {}, signal);
  const last = closest[BUCKET_PEERS_MAX - 1];
  const seen = last === undefined
    ? BUCKET_COUNT
    : bucketIndex(node.id, last.id);
  for (const bucket of buckets) {
    if (bucket < seen) node.table.touchBucket(bucket, clock.monotonicMs());
    else {
      const target = randomIdInBucket(node.id, bucket, random);
      await findNodes(node, target, { count: REFRESHED }, signal);
    }
  }
}

/** Peers near a point of a far bucket that must answer when it is looked into: enough to learn of others there, for half the questions of a whole lookup. */
const REFRESHED = 4;

/** A record with less than this left is asked for anew; whoever signs one renews it at half its life. */
const RENEW_BEFORE_MS = NODE_RECORD_TTL_MS / 4;
/** Records renewed in one round. */
const RENEWALS_MAX = 20;

/** A peer we never lost sight of would otherwise be passed on with a record that has run out, or not at all. */
async function renewRecords(node: Node, signal: AbortSignal): Promise<void> {
  const dueMs = node.runtime.clock.nowMs() + RENEW_BEFORE_MS;
  const due = [...node.table.entries()]
    .map(({ contact }) => contact)
    .filter((contact) => contact.expiresAtMs < dueMs)
    .slice(0, RENEWALS_MAX);
  await mapBounded(due, LOOKUP_PARALLEL, async (peer, laneSignal) => {
    try {
      using deadline = node.runtime.clock.deadline(
        QUERY_TIMEOUT_MS,
        laneSignal,
      );
      await node.ping(peer, deadline.signal);
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) === undefined) throw error;
    }
  }, signal);
}

/** Peers of an earlier life that may still be there, latest seen first. Their records may have run out: keys do not. */
export async function savedPeers(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<readonly NodeRecord[]> {
  const rows = await state.peers(SAVED_PEERS_MAX, signal);
  const saved: NodeRecord[] = [];
  for (const row of rows) {
    try {
      saved.push(
        readNodeRecord(row.record, {
          nowMs: row.lastSeenMs,
          powBits: node.powBits,
        }),
      );
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      node.runtime.counters.add("record.refused");
    }
  }
  return saved;
}

/** Writes the routing table down now and then, so that a restart does not depend on any seed. */
export async function savePeersForever(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await node.runtime.clock.sleep(SAVE_PEERS_MS, signal);
    try {
      await savePeers(node, state, signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      // Tried again in a minute: a full disk must not stop a node that can still answer.
      node.runtime.counters.add("peers.save_failed");
    }
  }
}

/** Writes the routing table down once, those heard of last, and forgets who was not heard of for longest. */
export async function savePeers(
  node: Node,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = node.runtime;
  const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
  const rows = [...node.table.entries()]
    .sort((a, b) => b.seenMs - a.seenMs)
    .slice(0, SAVED_PEERS_MAX)
    .map(({ contact, seenMs }) => ({
      id: contact.id,
      record: contact.bytes,
      // Not after the record ran out, so that it can be judged by this time when it is read again.
      lastSeenMs: Math.max(
        0,
        Math.min(
          Math.floor(nowMs - (monotonicMs - seenMs)),
          contact.expiresAtMs - 1,
        ),
      ),
    }));
  if (rows.length === 0) return;
  await state.putPeers(rows, signal);
  const kept = await state.peers(2 * SAVED_PEERS_MAX, signal);
  const surplus = kept.slice(SAVED_PEERS_MAX).map(({ id }) => id);
  if (surplus.length > 0) await state.removePeers(surplus, signal);
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
  if (equal(pinned.id, node.id)) {
    throw new TesserasError("refused", "Cannot greet: that is ourselves");
  }
  // Twice a question's time: the first of several addresses may be dead.
  using deadline = node.runtime.clock.deadline(2 * QUERY_TIMEOUT_MS, signal);
  await node.ping(pinned, deadline.signal);
}

function nameOf(entry: Entry): string {
  if (!("bytes" in entry)) return formatAddress(entry);
  const address = entry.addresses[0];
  return address === undefined ? keyOf(entry.id) : formatAddress(address);
}
