/** Runs a lookup: the decisions are `lib/kad`'s, this shell asks the questions. */
import {
  codeOf,
  messageOf,
  type NodeId,
  Tasks,
  throwIfAborted,
  toHex,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_QUESTIONS_MAX,
  LOOKUP_TIMEOUT_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { Lookup, type Question } from "@tesseras/kad";
import type { NodeRecord } from "@tesseras/wire";
import type { Node } from "./node.ts";

/** What a lookup may be told. */
export type FindOptions = {
  /** Capability bits every peer on the way must have; 0 for any. */
  readonly want?: number;
  /** How many of the closest peers must have answered before it ends. */
  readonly count?: number;
};

/** What a lookup found. */
export type Found = {
  /** Peers that answered, closest to the target first. */
  readonly closest: readonly NodeRecord[];
  /** Steps from us to the closest peer. */
  readonly hops: number;
  /** Every question in order of asking. */
  readonly trace: readonly Question[];
};

/** Asks one peer; gives the peers it named. Rejects when it does not answer usefully. */
export type AskPeer = (
  peer: NodeRecord,
  signal: AbortSignal,
) => Promise<readonly NodeRecord[]>;

/** The closest peers to a target that answer `find_node`. */
export function findNodes(
  node: Node,
  target: NodeId,
  options: FindOptions,
  signal: AbortSignal,
): Promise<Found> {
  const want = options.want ?? 0;
  return find(node, target, options, async (peer, querySignal) => {
    const { response } = await node.ask(
      peer,
      { type: "find_node", target, want },
      {},
      querySignal,
    );
    return node.readRecords(response.records);
  }, signal);
}

/**
 * Runs one iterative lookup with any question. Ends when the closest known
 * peers have all answered or nobody is left to ask, never at the first plausible answer.
 */
export async function find(
  node: Node,
  target: NodeId,
  options: FindOptions,
  question: AskPeer,
  signal: AbortSignal,
): Promise<Found> {
  const want = options.want ?? 0;
  const count = options.count ?? BUCKET_PEERS_MAX;
  const lookup = new Lookup<NodeRecord>({
    target,
    seeds: node.table.closest(target, count),
    count,
    parallel: node.lookupParallel,
    questionsMax: Math.max(LOOKUP_QUESTIONS_MAX, 2 * count),
    want,
    exclude: [node.id],
  });
  using deadline = node.runtime.clock.deadline(LOOKUP_TIMEOUT_MS, signal);
  await using tasks = new Tasks(deadline.signal);
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const step = (): void => {
    for (const peer of lookup.next()) {
      tasks.spawn(async (taskSignal) => {
        await askOne(node, lookup, peer, question, taskSignal);
        step();
      });
    }
    if (lookup.done) end();
  };
  deadline.signal.addEventListener("abort", () => end(), { once: true });
  step();
  if (!deadline.signal.aborted) await over;
  if (signal.aborted) await tasks.stop();
  throwIfAborted(signal);
  if (deadline.signal.aborted) node.runtime.counters.add("lookup.timeout");
  node.runtime.counters.add("lookup.done");
  return {
    closest: lookup.closest(),
    hops: lookup.hops,
    trace: lookup.trace,
  };
}

async function askOne(
  node: Node,
  lookup: Lookup<NodeRecord>,
  peer: NodeRecord,
  question: AskPeer,
  signal: AbortSignal,
): Promise<void> {
  try {
    using deadline = node.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
    const named = await question(peer, deadline.signal);
    lookup.answered(peer.id, named);
  } catch (error) {
    if (signal.aborted) return;
    lookup.failed(peer.id);
    node.runtime.counters.add("lookup.question_failed");
    node.runtime.log.debug("lookup.question_failed", {
      peer: toHex(peer.id),
      code: codeOf(error) ?? "bug",
      reason: messageOf(error),
    });
    if (codeOf(error) === undefined) throw error;
  }
}
