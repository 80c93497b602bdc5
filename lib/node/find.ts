/** Runs a lookup: the decisions are `lib/kad`'s, this shell asks the questions. */
import {
  type Clock,
  codeOf,
  type Deadline,
  messageOf,
  type NodeId,
  orAbort,
  Tasks,
  throwIfAborted,
  toHex,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_QUESTIONS_MAX,
  LOOKUP_TIMEOUT_MS,
  QUERY_LATE_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { bucketIndex, Lookup, type Question } from "@tesseras/kad";
import type { NodeRecord } from "@tesseras/wire";
import type { Node } from "./node.ts";

/** What a lookup may be told. */
export type FindOptions = {
  /** Capability bits every peer found must have; 0 for any. Others are asked for directions only. */
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
 * peers have all answered or nobody is left to ask, never at the first plausible answer; after
 * `LOOKUP_TIMEOUT_MS` it gives what it has.
 */
export async function find(
  node: Node,
  target: NodeId,
  options: FindOptions,
  question: AskPeer,
  signal: AbortSignal,
): Promise<Found> {
  throwIfAborted(signal);
  const { clock, counters } = node.runtime;
  node.table.touchBucket(bucketIndex(node.id, target), clock.monotonicMs());
  const lookup = lookupFor(node, target, options);
  const tasks = new Tasks(signal);
  await using unstopped = new AsyncDisposableStack();
  unstopped.use(tasks);
  // It ends the lookup and not the questions: a peer that was asked a moment ago has done nothing wrong.
  using deadline = clock.deadline(LOOKUP_TIMEOUT_MS, tasks.signal);
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  deadline.signal.addEventListener("abort", () => end(), { once: true });
  let isOver = false;
  const step = (): void => {
    if (isOver) return;
    for (const peer of lookup.next()) {
      tasks.spawn(async (taskSignal) => {
        await askOne({ node, lookup, question, step }, peer, taskSignal);
        step();
      });
    }
    if (lookup.done) end();
    else if (lookup.onlyLate) patience.begin();
  };
  using patience = new Patience(
    clock,
    tasks.signal,
    () => lookup.onlyLate && end(),
  );
  step();
  await over;
  isOver = true;
  if (deadline.signal.aborted && !tasks.signal.aborted) {
    counters.add("lookup.timeout");
  }
  if (!signal.aborted && lookup.onlyLate) {
    // The late are left to their own deadlines, so that the silent among them are noticed; nobody waits for that.
    unstopped.move();
    node.spawn((nodeSignal) => outlive(tasks, nodeSignal));
  } else {
    await tasks.stop();
  }
  throwIfAborted(signal);
  counters.add("lookup.done");
  return {
    closest: lookup.closest(),
    hops: lookup.hops,
    trace: lookup.trace,
  };
}

/** How long a lookup that has everything else waits for the late. */
class Patience implements Disposable {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #alarm: Deadline | undefined;

  constructor(clock: Clock, signal: AbortSignal, onEnd: () => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onEnd = onEnd;
  }

  /** Starts to wait, unless it does already. */
  begin(): void {
    if (this.#alarm !== undefined) return;
    const alarm = this.#clock.deadline(QUERY_LATE_MS, this.#signal);
    this.#alarm = alarm;
    alarm.signal.addEventListener("abort", () => {
      this[Symbol.dispose]();
      if (!this.#signal.aborted) this.#onEnd();
    }, { once: true });
  }

  [Symbol.dispose](): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
  }
}

/** Lets questions end by themselves, and stops them with the node. */
async function outlive(tasks: Tasks, signal: AbortSignal): Promise<void> {
  await using _tasks = tasks;
  await orAbort(tasks.settled(), signal);
}

function lookupFor(
  node: Node,
  target: NodeId,
  options: FindOptions,
): Lookup<NodeRecord> {
  const count = options.count ?? BUCKET_PEERS_MAX;
  return new Lookup<NodeRecord>({
    target,
    seeds: node.table.closest(target, count),
    count,
    parallel: node.lookupParallel,
    questionsMax: Math.max(LOOKUP_QUESTIONS_MAX, 2 * count),
    want: options.want ?? 0,
    exclude: [node.id],
  });
}

type Run = {
  readonly node: Node;
  readonly lookup: Lookup<NodeRecord>;
  readonly question: AskPeer;
  /** Asks whoever is next. */
  readonly step: () => void;
};

async function askOne(
  { node, lookup, question, step }: Run,
  peer: NodeRecord,
  signal: AbortSignal,
): Promise<void> {
  const { clock, counters, log } = node.runtime;
  try {
    using deadline = clock.deadline(QUERY_TIMEOUT_MS, signal);
    using late = clock.deadline(QUERY_LATE_MS, signal);
    late.signal.addEventListener("abort", () => {
      if (signal.aborted) return;
      // The silent must not set the pace: the next peer is asked beside this one, whose answer is still welcome.
      lookup.late(peer.id);
      counters.add("lookup.question_late");
      step();
    }, { once: true });
    lookup.answered(peer.id, await question(peer, deadline.signal));
  } catch (error) {
    if (signal.aborted) return;
    // A bug ends the lookup; noted as a failure it could end it first, and nobody would hear of it.
    if (codeOf(error) === undefined) throw error;
    lookup.failed(peer.id);
    counters.add("lookup.question_failed");
    log.debug("lookup.question_failed", {
      peer: toHex(peer.id),
      code: codeOf(error),
      reason: messageOf(error),
    });
  }
}
