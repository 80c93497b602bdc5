/** Runs a lookup: the decisions are `lib/kad`'s, this shell asks the questions. */
import {
  type Clock,
  codeOf,
  type Deadline,
  equal,
  type ErrorCode,
  messageOf,
  type NodeId,
  orAbort,
  Tasks,
  throwIfAborted,
  toHex,
} from "@tesseras/core";
import {
  BUCKET_PEERS_MAX,
  LOOKUP_PATHS_MAX,
  LOOKUP_PATIENT_NODES_MAX,
  LOOKUP_QUESTIONS_MAX,
  LOOKUP_TIMEOUT_MS,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import { bucketIndex, Paths } from "@tesseras/kad";
import type { NodeRecord } from "@tesseras/wire";
import type { Node } from "./node.ts";
import type { LookedFor } from "./size.ts";
import { type Hop, TraceNotes } from "./trace.ts";

/** What a lookup may be told. */
export type FindOptions = {
  /** Capability bits every peer found must have; 0 for any. Others are asked for directions only. */
  readonly want?: number;
  /** How many of the closest peers must have answered before it ends. */
  readonly count?: number;
  /** Whether to wait for the slow among the closest, too: for whoever places something with them, or counts them. */
  readonly isThorough?: boolean;
  /** Peers neither to ask nor to find, since they are known, and suspect. */
  readonly exclude?: (id: NodeId) => boolean;
};

/** What a lookup found. */
export type Found = {
  /** Peers that answered, closest to the target first. */
  readonly closest: readonly NodeRecord[];
  /** Steps from us to the closest peer. */
  readonly hops: number;
  /** Every question in order of asking. */
  readonly trace: readonly Hop[];
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
 * Runs one iterative lookup with any question, over paths that share nobody. Ends when the closest known
 * peers have answered, a few slow ones apart, or nobody is left to ask, never at the first plausible answer; after
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
  const beganMs = clock.monotonicMs();
  node.table.touchBucket(bucketIndex(node.id, target), beganMs);
  const tasks = new Tasks(signal);
  await using unstopped = new AsyncDisposableStack();
  unstopped.use(tasks);
  const search = new Search({ node, target, options, question, tasks });
  await search.run();
  const { found } = search;
  node.lookups.tell({
    target,
    tookMs: clock.monotonicMs() - beganMs,
    hops: found.hops,
    foundCount: found.closest.length,
    questions: found.trace,
  });
  if (!signal.aborted && search.hasOpen && node.spawn(search.outlive)) {
    // The slow are left to their own deadlines, so that the silent among them are noticed; nobody waits for that.
    unstopped.move();
  } else {
    await tasks.stop();
  }
  throwIfAborted(signal);
  counters.add("lookup.done");
  search.report();
  return found;
}

type SearchParts = {
  readonly node: Node;
  readonly target: NodeId;
  readonly options: FindOptions;
  readonly question: AskPeer;
  /** Where the questions run. */
  readonly tasks: Tasks;
};

/** One lookup under way. */
class Search {
  readonly #node: Node;
  readonly #clock: Clock;
  readonly #question: AskPeer;
  readonly #tasks: Tasks;
  readonly #paths: Paths<NodeRecord>;
  readonly #aim: Omit<LookedFor, "closest">;
  /** Whether it left somebody out. */
  #isPartial = false;
  readonly #notes = new TraceNotes();
  readonly #beganMs: number;
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  /** How long it waits for the late when it has everything else. */
  #patience: Deadline | undefined;
  /** When the last question became late. */
  #lastLateMs = -Infinity;

  constructor({ node, target, options, question, tasks }: SearchParts) {
    this.#node = node;
    this.#clock = node.runtime.clock;
    this.#question = question;
    this.#tasks = tasks;
    this.#beganMs = this.#clock.monotonicMs();
    const { want = 0, count = BUCKET_PEERS_MAX } = options;
    const size = node.size.now();
    const isSmall = size === undefined || size <= LOOKUP_PATIENT_NODES_MAX;
    this.#aim = { target, want, count };
    this.#paths = new Paths<NodeRecord>({
      target,
      // As many for each path as one lookup is to find: when those nearest to the target have died together, the next are asked.
      seeds: node.table.closest(
        target,
        // Those left out may fill a bucket.
        LOOKUP_PATHS_MAX * count +
          (options.exclude === undefined ? 0 : BUCKET_PEERS_MAX),
      ),
      count,
      parallel: node.lookupParallel,
      pathsMax: node.lookupPathsMax,
      questionsMax: Math.max(LOOKUP_QUESTIONS_MAX, 2 * count),
      want,
      exclude: (id) => equal(id, node.id) || this.#leavesOut(id, options),
      subnetMax: node.subnetPeersMax?.bucket,
      overtakenMax: options.isThorough === true || isSmall ? 0 : undefined,
      surroundings: isSmall ? undefined : { size, powBits: node.powBits },
    });
  }

  #leavesOut(id: NodeId, { exclude }: FindOptions): boolean {
    const isOut = exclude?.(id) === true;
    if (isOut) this.#isPartial = true;
    return isOut;
  }

  /** Asks until it is over. What is still open then goes on. */
  async run(): Promise<void> {
    // It ends the lookup and not the questions: a peer that was asked a moment ago has done nothing wrong.
    using deadline = this.#clock.deadline(
      LOOKUP_TIMEOUT_MS,
      this.#tasks.signal,
    );
    const { promise: over, resolve: end } = this.#over;
    deadline.signal.addEventListener("abort", () => end(), { once: true });
    this.#step();
    await over;
    this.#isOver = true;
    this.#patience?.[Symbol.dispose]();
    if (deadline.signal.aborted && !this.#tasks.signal.aborted) {
      this.#node.runtime.counters.add("lookup.timeout");
    }
  }

  /** Whether it ended by itself, with questions open that it need not wait for. */
  get hasOpen(): boolean {
    return this.#paths.openCount > 0 &&
      (this.#paths.done || this.#paths.onlyLate);
  }

  /** What is known so far. */
  get found(): Found {
    return {
      closest: this.#paths.closest(),
      hops: this.#paths.hops,
      trace: this.#notes.hops(this.#paths.trace),
    };
  }

  /** Tells the node what this says about the size of the network; fewer than were looked for say something only when all have answered. */
  report(): void {
    if (this.#isPartial) return;
    const { target, want, count } = this.#aim;
    const closest = this.#paths.closest();
    if (closest.length < count && !this.#paths.converged) return;
    this.#node.size.observe({ target, want, count, closest });
  }

  /** Lets questions end by themselves, and stops them with the signal; then it is known who is there. */
  readonly outlive = async (signal: AbortSignal): Promise<void> => {
    await using _tasks = this.#tasks;
    await orAbort(this.#tasks.settled(), signal);
    this.report();
  };

  /** Asks whoever is next, until there is nobody. */
  #step(): void {
    if (this.#isOver) return;
    for (const peer of this.#paths.next()) {
      this.#tasks.spawn(async (signal) => {
        await this.#ask(peer, signal);
        this.#step();
      });
    }
    if (this.#paths.done) this.#over.resolve();
    else if (this.#paths.onlyLate) this.#waitForLate();
  }

  /** Whoever is late has as long again as it took to be so, from then on: what else was going on meanwhile was time to answer, too. */
  #waitForLate(): void {
    if (this.#patience !== undefined) return;
    const { lateMs } = this.#node.pace;
    const leftMs = this.#lastLateMs + lateMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return this.#over.resolve();
    // Whole, or so little could be left that the clock would stand still over it.
    const alarm = this.#clock.deadline(
      Math.ceil(leftMs),
      this.#tasks.signal,
    );
    this.#patience = alarm;
    alarm.signal.addEventListener("abort", () => {
      alarm[Symbol.dispose]();
      this.#patience = undefined;
      if (!this.#isOver && this.#paths.onlyLate) this.#waitForLate();
    }, { once: true });
  }

  async #ask(peer: NodeRecord, signal: AbortSignal): Promise<void> {
    const askedMs = this.#clock.monotonicMs();
    this.#notes.asked(peer, askedMs - this.#beganMs);
    try {
      using deadline = this.#clock.deadline(QUERY_TIMEOUT_MS, signal);
      using _late = this.#watchLate(peer, signal);
      const named = await this.#question(peer, deadline.signal);
      this.#answered(peer, named, askedMs);
    } catch (error) {
      if (signal.aborted) return;
      // A bug ends the lookup; noted as a failure it could end it first, and nobody would hear of it.
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#failed(peer, code, messageOf(error));
    }
  }

  /** The silent must not set the pace: the next peer is asked beside this one, whose answer is still welcome. */
  #watchLate(peer: NodeRecord, signal: AbortSignal): Disposable {
    const late = this.#clock.deadline(this.#node.pace.lateMs, signal);
    late.signal.addEventListener("abort", () => {
      if (signal.aborted) return;
      this.#lastLateMs = this.#clock.monotonicMs();
      this.#paths.late(peer.id);
      this.#node.runtime.counters.add("lookup.question_late");
      this.#step();
    }, { once: true });
    return late;
  }

  #answered(
    peer: NodeRecord,
    named: readonly NodeRecord[],
    askedMs: number,
  ): void {
    const { counters } = this.#node.runtime;
    const nowMs = this.#clock.monotonicMs();
    this.#node.pace.answered(nowMs - askedMs);
    const address = this.#node.peers.remoteOf(peer.id);
    this.#notes.ended(peer.id, nowMs - this.#beganMs, { address });
    // None of these lead anywhere; they are counted because nobody honest names itself or the one who asks.
    if (named.length === 0) counters.add("lookup.answer_empty");
    if (named.some(({ id }) => equal(id, peer.id))) {
      counters.add("lookup.named_itself");
    }
    if (named.some(({ id }) => equal(id, this.#node.id))) {
      counters.add("lookup.named_asker");
    }
    this.#node.introducers.named(named, peer);
    this.#paths.answered(peer.id, named, this.#node.asMet(peer));
  }

  #failed(peer: NodeRecord, code: ErrorCode, reason: string): void {
    const { counters, log } = this.#node.runtime;
    const endedMs = this.#clock.monotonicMs() - this.#beganMs;
    this.#notes.ended(peer.id, endedMs, { reason: code });
    this.#paths.failed(peer.id);
    counters.add("lookup.question_failed");
    counters.add(counterOf(code));
    log.debug("lookup.question_failed", { peer: toHex(peer.id), code, reason });
  }
}

/** What an operator is told of a question that failed. */
function counterOf(code: ErrorCode) {
  switch (code) {
    case "timeout":
    case "unreachable":
      return "lookup.unanswered";
    case "malformed":
    case "forged":
    case "corrupt":
      return "lookup.answer_bad";
    default:
      return "lookup.refused";
  }
}
