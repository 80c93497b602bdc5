/** Getting into the network, and back into it when everybody we knew is gone. */
import { codeOf, mapBounded, messageOf, orAbort } from "@tesseras/core";
import { QUERY_TIMEOUT_MS } from "@tesseras/core/limits";
import { join, type Node } from "@tesseras/node";
import type { Source } from "./sources.ts";

/** What joining works with. */
export type JoiningParts = {
  readonly node: Node;
  /** In the order in which they are tried. */
  readonly sources: readonly Source[];
  /** Whether it was told to join nobody: a seed, which others join. */
  readonly isSeed: boolean;
};

/** Waits between tries to join, in milliseconds: quick at first, for a cluster starts all at once. */
const RETRY_MS = [500, 1_000, 2_000, 5_000, 15_000, 60_000] as const;
/** How often a node looks whether it still has company. */
const WATCH_MS = 15_000;
/** Silent neighbours that make a node without connections believe it is alone. */
const SILENT_MAX = 3;
/** How long the sources before may take until the next one is tried beside them. */
const SLOW_MS = 2_000;
/** How long one source may take with everything it leads to. */
const SOURCE_MS = 45_000;

/** Joins, and joins again whenever everybody is gone. Tells with each try whether there is company; a seed has enough in itself. */
export async function stayJoined(
  parts: JoiningParts,
  onPresence: (isJoined: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = parts.node.runtime;
  const { isSeed } = parts;
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
 * Tries every source in its order. Our own peers of an earlier life, which work when every seed is dead, and the configured
 * ones, which work when we were away for too long, go side by side, because dead addresses take their time; the others are
 * asked when those before have failed or are slow, and not at all once somebody has let us in.
 */
async function tryJoin(
  { node, sources, isSeed }: JoiningParts,
  onJoined: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, log } = node.runtime;
  const failures: string[] = [];
  let isJoined = false;
  const ends = sources.map(() => Promise.withResolvers<void>());
  const isTurn = async (at: number, laneSignal: AbortSignal) => {
    const before = sources.slice(0, at);
    const waiters = before.filter(({ isAtHand }) => !isAtHand).length + 1;
    const ended = Promise.all(ends.slice(0, at).map(({ promise }) => promise));
    using slow = clock.deadline(SLOW_MS * waiters, laneSignal);
    try {
      await orAbort(ended, slow.signal);
    } catch (error) {
      if (laneSignal.aborted || codeOf(error) !== "timeout") throw error;
    }
    return !isJoined;
  };
  const lane = async (
    [at, source]: readonly [number, Source],
    laneSignal: AbortSignal,
  ): Promise<void> => {
    if (source.isAtHand || await isTurn(at, laneSignal)) {
      const end = await trySource(node, source, laneSignal);
      if (end === "joined") {
        isJoined = true;
        onJoined();
      } else if (end !== "empty") failures[at] = end.failure;
    }
    ends[at]!.resolve();
  };
  await mapBounded(sources.entries(), sources.length, lane, signal);
  if (isJoined) return true;
  // In the order of the sources, without those that had nobody to name.
  const reasons = failures.filter((one) => one !== undefined);
  if (!isSeed || reasons.length > 0) {
    log.warn("network.unreachable", { reason: sentence(reasons) });
  }
  return false;
}

async function trySource(
  node: Node,
  { name, entries }: Source,
  signal: AbortSignal,
): Promise<"joined" | "empty" | { readonly failure: string }> {
  const { clock, counters, log } = node.runtime;
  try {
    using deadline = clock.deadline(SOURCE_MS, signal);
    const found = await entries(deadline.signal);
    if (found.length === 0) return "empty";
    const report = await join(node, found, deadline.signal);
    log.info("network.joined", { source: name, ...report });
    counters.add(`source.${name}_joined`);
    return "joined";
  } catch (error) {
    if (signal.aborted || codeOf(error) === undefined) throw error;
    counters.add(`source.${name}_failed`);
    return { failure: `${name}: ${messageOf(error)}` };
  }
}

/** What a person reads when nobody lets the node in. */
function sentence(reasons: readonly string[]): string {
  const seen = reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
  return `Cannot join a network${seen}: check that this machine is online, or name a node that runs with --bootstrap HOST:PORT`;
}
