/** How large the network is, as a node has seen it in its lookups. */
import {
  codeOf,
  type NodeId,
  nodeId,
  type Runtime,
  Semaphore,
} from "@tesseras/core";
import {
  LOOKUP_PARALLEL,
  LOOKUP_TIMEOUT_MS,
  NODE_ID_BYTES,
} from "@tesseras/core/limits";
import { SizeEstimate } from "@tesseras/kad";
import { CAPABILITIES, hasCapabilities, type NodeRecord } from "@tesseras/wire";

/** What a lookup looked for and found. */
export type LookedFor = {
  readonly target: NodeId;
  readonly want: number;
  readonly count: number;
  /** Those that answered, closest first. */
  readonly closest: readonly NodeRecord[];
};

/** Lookups elsewhere before a key is judged: the median of five errs by about an eighth. */
const VOICES_MIN = 5;
/** How long not to look for more of them, when looking did not bring enough. */
const LEARN_AGAIN_MS = 10 * 60_000;

/** The number of nodes that keep provider records. Every lookup adds to it, wherever it was for. */
export class NetworkSize {
  readonly #runtime: Runtime;
  readonly #estimate: SizeEstimate;
  readonly #turn = new Semaphore(1);
  #learnedMs = -Infinity;

  constructor(powBits: number, runtime: Runtime) {
    this.#runtime = runtime;
    this.#estimate = new SizeEstimate(powBits);
  }

  /** Takes in what a lookup found. */
  observe({ target, want, count, closest }: LookedFor): void {
    // Of those with other capabilities as well, it does not say how many keepers it passed over.
    if ((want & ~CAPABILITIES.DHT) !== 0) return;
    this.#estimate.observe({
      target,
      ids: closest.filter((peer) =>
        hasCapabilities(peer.capabilities, CAPABILITIES.DHT)
      ).map(({ id }) => id),
      isEverybody: closest.length < count,
      nowMs: this.#runtime.clock.monotonicMs(),
    });
  }

  /** What is known now; `undefined` without any lookup. */
  now(): number | undefined {
    return this.#estimate.size(this.#runtime.clock.monotonicMs());
  }

  /**
   * The size by which the neighbourhood of a key may be judged: from lookups anywhere but there. When there were too few, it has
   * some random points looked up.
   */
  async besides(
    key: NodeId,
    lookUp: (target: NodeId, signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { clock, random } = this.#runtime;
    if (this.#voiceCount(key) < VOICES_MIN) {
      using _turn = await this.#turn.enter(signal);
      // All of them take as long as one may, so that peers that are slow hold up nobody by minutes.
      using deadline = clock.deadline(LOOKUP_TIMEOUT_MS, signal);
      try {
        // Whoever waited for the turn finds the work done.
        for (
          let tries = 0;
          tries < VOICES_MIN + LOOKUP_PARALLEL &&
          this.#voiceCount(key) < VOICES_MIN && this.#mayLearn();
          tries++
        ) {
          const target = nodeId(random.bytes(NODE_ID_BYTES));
          await lookUp(target, deadline.signal);
        }
      } catch (error) {
        if (signal.aborted || codeOf(error) !== "timeout") throw error;
      }
      if (this.#mayLearn()) this.#learnedMs = clock.monotonicMs();
    }
    return this.#estimate.size(clock.monotonicMs(), key);
  }

  #mayLearn(): boolean {
    const nowMs = this.#runtime.clock.monotonicMs();
    return nowMs - this.#learnedMs >= LEARN_AGAIN_MS;
  }

  #voiceCount(key: NodeId): number {
    return this.#estimate.voiceCount(this.#runtime.clock.monotonicMs(), key);
  }
}
