/** Getting into the network, and back into it when everybody we knew is gone. */
import {
  codeOf,
  keyOf,
  mapBounded,
  messageOf,
  TesserasError,
  toHex,
} from "@tesseras/core";
import { QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import { type Entry, join, type Node, savedPeers } from "@tesseras/node";
import type { State } from "@tesseras/state";
import type { NodeRecord } from "@tesseras/wire";
import {
  type ConfiguredPeer,
  type FindAddresses,
  resolvePeers,
} from "./entries.ts";

/** What joining works with. */
export type JoiningParts = {
  readonly node: Node;
  readonly state: State;
  /** Configured peers; none makes a seed, which others join. */
  readonly texts: readonly string[];
  readonly find: FindAddresses;
};

/** Waits between tries to join, in milliseconds: quick at first, for a cluster starts all at once. */
const RETRY_MS = [500, 1_000, 2_000, 5_000, 15_000, 60_000] as const;
/** How often a node looks whether it still has company. */
const WATCH_MS = 15_000;
/** Peers of an earlier life that are tried: the latest seen. */
const SAVED_TRIED_MAX = 16;
/** Pinned entries greeted at once. */
const PINNED_PARALLEL = 4;
/** Silent neighbours that make a node without connections believe it is alone. */
const SILENT_MAX = 3;

/** Joins, and joins again whenever everybody is gone. Tells with each try whether there is company; a seed has enough in itself. */
export async function stayJoined(
  parts: JoiningParts,
  onPresence: (isJoined: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = parts.node.runtime;
  const isSeed = parts.texts.length === 0;
  if (isSeed) onPresence(true);
  for (let tries = 0;;) {
    if (!await isAlone(parts.node, signal)) {
      onPresence(true);
      tries = 0;
    } else if (await tryJoin(parts, () => onPresence(true), signal)) {
      tries = 0;
    } else {
      onPresence(isSeed);
      tries++;
    }
    const wait = tries === 0
      ? WATCH_MS
      : RETRY_MS[Math.min(tries, RETRY_MS.length) - 1]!;
    await clock.sleep(wait, signal);
  }
}

/**
 * Whether nobody is left. Peers that vanished all at once stay in the table until somebody asks them, so a node without a
 * connection asks its closest neighbours before it believes the table.
 */
async function isAlone(node: Node, signal: AbortSignal): Promise<boolean> {
  if (node.table.size === 0) return true;
  if (node.peers.sessions().length > 0) return false;
  for (const peer of node.table.closest(node.id, SILENT_MAX)) {
    try {
      using deadline = node.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
      await node.ask(peer, { type: "ping" }, {}, deadline.signal);
      return false;
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted || code === undefined) throw error;
      // Who refuses is there.
      if (code === "refused" || code === "overloaded") return false;
    }
  }
  return true;
}

/**
 * Tries our own peers of an earlier life, which work when every seed is dead, and the configured ones, which work when we were
 * away for too long; side by side, because dead addresses take their time.
 */
async function tryJoin(
  parts: JoiningParts,
  onJoined: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { log } = parts.node.runtime;
  const ways = [savedEntries, configuredEntries];
  const reasons: string[] = [];
  const ends = await mapBounded(ways, ways.length, async (way, laneSignal) => {
    try {
      const entries = await way(parts, laneSignal);
      if (entries.length === 0) return false;
      const report = await join(parts.node, entries, laneSignal);
      log.info("network.joined", report);
      onJoined();
      return true;
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) === undefined) throw error;
      reasons.push(messageOf(error));
      return false;
    }
  }, signal);
  if (ends.includes(true)) return true;
  if (reasons.length > 0) {
    log.warn("network.unreachable", { reason: reasons.join("; ") });
  }
  return false;
}

async function savedEntries(
  { node, state, texts }: JoiningParts,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const saved = await savedPeers(node, state, signal);
  // A pinned peer is asked where it is configured: a dial to where it was once would be the only one to it meanwhile.
  const elsewhere = new Set(texts.flatMap((text) => pinnedId(text) ?? []));
  elsewhere.add(keyOf(node.id));
  return saved.filter(({ id }) => !elsewhere.has(keyOf(id)))
    .slice(0, SAVED_TRIED_MAX);
}

function pinnedId(text: string): string | undefined {
  return /^([0-9a-f]{40})@/i.exec(text)?.[1]?.toLowerCase();
}

async function configuredEntries(
  { node, texts, find }: JoiningParts,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const peers = await resolvePeers(texts, node.runtime, find, signal);
  const bare = peers.filter(({ id }) => id === undefined)
    .map(({ address }) => address);
  const pinned = peers.filter(({ id }) => id !== undefined);
  const greeted = await mapBounded(
    pinned,
    PINNED_PARALLEL,
    (peer, laneSignal) => greetPinned(node, peer, laneSignal),
    signal,
  );
  // Several addresses of one name lead to one peer.
  const records = new Map<string, NodeRecord>();
  for (const record of greeted) {
    if (record !== undefined) records.set(keyOf(record.id), record);
  }
  const entries = [...bare, ...records.values()];
  if (entries.length > 0 || texts.length === 0) return entries;
  throw new TesserasError(
    "unreachable",
    `Cannot join the network: none of ${texts.length} configured peers could be found`,
  );
}

/** The record of a peer whose id was given; `undefined`, and a line in the log, when somebody else or nobody answers. */
async function greetPinned(
  node: Node,
  { address, id, text }: ConfiguredPeer,
  signal: AbortSignal,
): Promise<NodeRecord | undefined> {
  try {
    const record = await node.peers.firstContact(address, signal);
    if (id === undefined || keyOf(record.id) === keyOf(id)) return record;
    throw new TesserasError(
      "forged",
      `Cannot trust ${text}: ${toHex(record.id)} answers there`,
    );
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    node.runtime.log.warn("bootstrap.refused", { reason: messageOf(error) });
    return undefined;
  }
}
