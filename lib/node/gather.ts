/** Gets enough fragments of a plan, from whoever sends them soonest. */
import {
  codeOf,
  type ErrorCode,
  keyOf,
  messageOf,
  type NodeId,
  shuffled,
  Tasks,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import { FETCH_PARALLEL, FETCH_SPARE, KIB } from "@tesseras/core/limits";
import { transferTimeoutMs } from "@tesseras/net";
import type { Plan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import { askHolder } from "./ask_holder.ts";
import type { Budget } from "./budget.ts";
import type { Taker } from "./kept_fragments.ts";
import type { Node } from "./node.ts";
import type { Provider } from "./pointers.ts";

/** What happens while a tessera is fetched. */
export type FetchEvent =
  | { readonly type: "found"; readonly holderCount: number }
  | {
    readonly type: "plan";
    readonly dataCount: number;
    readonly parityCount: number;
    readonly packBytes: number;
  }
  | {
    readonly type: "received";
    readonly receivedBytes: number;
    readonly totalBytes: number;
  }
  | {
    readonly type: "fragment";
    readonly index: number;
    readonly holder: NodeId;
    readonly doneCount: number;
    readonly needCount: number;
  }
  | {
    readonly type: "failed";
    readonly index: number;
    readonly holder: NodeId;
    readonly reason: string;
  }
  | { readonly type: "rebuilding"; readonly missingCount: number }
  | { readonly type: "verifying" };

/** How often transfers are compared. A transfer younger than this has not shown what it can do. */
const COMPARE_MS = 5_000;
/** A transfer below this, in bytes a second, does not hold a place: twice what is the least we wait for at all. */
const SLOW_BYTES_PER_SECOND = 16 * KIB;
/** Nor does one so many times slower than the fastest. Own lines slow all alike, so this tells apart who trickles. */
const SLOWER_TIMES = 8;
/** A transfer younger than this is not late, however soon others were done. */
const LATE_MS_MIN = 1_000;
/** A transfer is late when it has taken so many times as long as the longest that is done. */
const LATE_TIMES = 2;
/** Transfers at once, those counted that hold no place. */
const TRANSFERS_MAX = 2 * FETCH_PARALLEL;
/** Failures after which a holder is asked for more only as a last resort. */
const HOLDER_FAILURES_MAX = 2;
/** Failures of such holders after which even that ends: a liar may claim every fragment there is. */
const LAST_RESORTS_MAX = 16;
/** Failures that count at once: it lied, or its disk rots. */
const LIES: readonly (ErrorCode | undefined)[] = [
  "corrupt",
  "forged",
  "malformed",
];

/** One fragment on its way. */
type Transfer = {
  readonly index: number;
  readonly holder: NodeRecord;
  readonly begunMs: number;
  readonly stop: AbortController;
  receivedBytes: number;
  isSlow: boolean;
};

/** Whom to ask for what. */
type Choice = { readonly index: number; readonly holder: NodeRecord };

/** What {@link Gather} is made from. */
export type GatherParts = {
  readonly node: Node;
  readonly plan: Plan;
  /** Takes the fragments; owned by the caller. */
  readonly assembly: Taker;
  /** Who says to have some. */
  readonly group: readonly Provider[];
  readonly onEvent: (event: FetchEvent) => void;
  /** How fast; as fast as they send where there is none. */
  readonly budget?: Budget;
};

/** Asks holders for fragments until k are there, those counted that the assembly has already; the rest is cancelled. */
export class Gather {
  /** Holder of each fragment that came, by index. */
  readonly used = new Map<number, NodeId>();
  #failedCount = 0;
  readonly #parts: GatherParts;
  /** Who may still be asked for each fragment. */
  readonly #sources = new Map<number, NodeRecord[]>();
  /** Transfers in flight by holder, so that the load spreads. */
  readonly #load = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  /** Holders that lied or failed again. A rotten disk may still have whole fragments, so they are asked when nobody else is left. */
  readonly #distrusted = new Set<string>();
  #lastResortCount = 0;
  readonly #running = new Map<number, Transfer>();
  #bestBytesPerSecond = 0;
  /** How long the longest transfer took that brought its fragment. */
  #longestMs = 0;
  #receivedBytes = 0;
  #lastReason = "no holder is left";
  /** What is wrong on this side, where no other holder helps. */
  #broken: unknown;

  constructor(parts: GatherParts) {
    this.#parts = parts;
    const { node, plan, group } = parts;
    for (const { record, holder } of shuffled(group, node.runtime.random)) {
      for (const index of record.indices) {
        if (index >= plan.fragments.length) continue;
        const sources = this.#sources.get(index);
        if (sources === undefined) this.#sources.set(index, [holder]);
        else sources.push(holder);
      }
    }
  }

  /** Transfers that came to nothing. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** Runs until enough is there. @throws `tooFew`, or what went wrong on this side */
  async run(signal: AbortSignal): Promise<void> {
    const { assembly, plan, node } = this.#parts;
    await using tasks = new Tasks(signal);
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    tasks.signal.addEventListener("abort", () => end(), { once: true });
    const step = (): void => {
      if (assembly.complete || this.#broken !== undefined) return end();
      for (const transfer of this.#next()) {
        tasks.spawn(async (taskSignal) => {
          await this.#get(transfer, taskSignal);
          step();
        });
      }
      if (this.#running.size === 0) end();
    };
    tasks.spawn(async (taskSignal) => {
      for (;;) {
        await node.runtime.clock.sleep(LATE_MS_MIN, taskSignal);
        step();
      }
    });
    tasks.spawn(async (taskSignal) => {
      for (;;) {
        await node.runtime.clock.sleep(COMPARE_MS, taskSignal);
        this.#compare();
        step();
      }
    });
    step();
    if (!tasks.signal.aborted) await over;
    // Whoever is still sending is no longer needed.
    await tasks.stop();
    throwIfAborted(signal);
    if (this.#broken !== undefined) throw this.#broken;
    if (assembly.complete) return;
    throw new TesserasError(
      "tooFew",
      `Cannot rebuild: have ${assembly.haveCount} of ${plan.dataCount} fragments; ${this.#lastReason}`,
    );
  }

  /** Transfers to begin now. They count as running from here on. */
  *#next(): Generator<Transfer> {
    while (this.#wanted()) {
      const next = this.#pick();
      if (next === undefined) return;
      const { index, holder } = next;
      const transfer: Transfer = {
        ...next,
        begunMs: this.#parts.node.runtime.clock.monotonicMs(),
        stop: new AbortController(),
        receivedBytes: 0,
        isSlow: false,
      };
      this.#running.set(index, transfer);
      this.#addLoad(holder, 1);
      const left = this.#sources.get(index)!.filter((one) => one !== holder);
      this.#sources.set(index, left);
      yield transfer;
    }
  }

  #wanted(): boolean {
    if (this.#running.size >= TRANSFERS_MAX) return false;
    const { plan, assembly } = this.#parts;
    const missing = plan.dataCount - assembly.haveCount;
    let placeCount = 0;
    for (const { isSlow } of this.#running.values()) if (!isSlow) placeCount++;
    const spareCount = this.#isLate() ? FETCH_SPARE : 0;
    return placeCount < Math.min(FETCH_PARALLEL, missing + spareCount);
  }

  /**
   * Whether somebody is late, so that it is worth asking for more than is needed. Where nobody is, it is not: what overtakes
   * then is a parity fragment, which costs its bytes and a decoding.
   */
  #isLate(): boolean {
    const nowMs = this.#parts.node.runtime.clock.monotonicMs();
    const patienceMs = Math.max(LATE_MS_MIN, LATE_TIMES * this.#longestMs);
    return [...this.#running.values()]
      .some(({ begunMs }) => nowMs - begunMs >= patienceMs);
  }

  /** Somebody trusted, or, when nothing is on its way either, one of the others. */
  #pick(): Choice | undefined {
    const trusted = this.#pickAmong((holder) =>
      !this.#distrusted.has(keyOf(holder.id))
    );
    if (trusted !== undefined || this.#running.size > 0) return trusted;
    if (this.#lastResortCount >= LAST_RESORTS_MAX) return undefined;
    return this.#pickAmong(() => true);
  }

  /** Data fragments before parity (they need no decoding), from the holder with the least to do. */
  #pickAmong(fits: (holder: NodeRecord) => boolean): Choice | undefined {
    const { assembly, plan } = this.#parts;
    let best: Choice | undefined;
    let bestWeight = Infinity;
    for (const [index, holders] of this.#sources) {
      if (assembly.has(index) || this.#running.has(index)) continue;
      for (const holder of holders) {
        const weight = (this.#load.get(keyOf(holder.id)) ?? 0) * 1000 +
          (index < plan.dataCount ? 0 : 500) + index;
        if (weight >= bestWeight || !fits(holder)) continue;
        best = { index, holder };
        bestWeight = weight;
      }
    }
    return best;
  }

  /**
   * Finds out who trickles. They go on, without holding a place; where nobody can be asked beside them, they are given up for
   * another holder of the same fragment, or for another fragment.
   */
  #compare(): void {
    const { clock, counters } = this.#parts.node.runtime;
    const nowMs = clock.monotonicMs();
    for (const transfer of this.#running.values()) this.#rate(transfer, nowMs);
    const hasOther = this.#pick() !== undefined;
    const isStuck = !hasOther || this.#running.size >= TRANSFERS_MAX;
    for (const transfer of this.#running.values()) {
      if (nowMs - transfer.begunMs < COMPARE_MS) continue;
      const rate = this.#rate(transfer, nowMs);
      const trickles = rate * SLOWER_TIMES < this.#bestBytesPerSecond;
      transfer.isSlow = trickles || rate < SLOW_BYTES_PER_SECOND;
      const isElsewhere = this.#sources.get(transfer.index)!.length > 0;
      if (!trickles || !isStuck || !(hasOther || isElsewhere)) continue;
      counters.add("fetch.trickler_dropped");
      transfer.stop.abort(
        new TesserasError(
          "timeout",
          `Cannot wait for fragment ${transfer.index}: it comes ${SLOWER_TIMES} times slower than others`,
        ),
      );
    }
  }

  /** Bytes a second of a transfer so far; the best of all is remembered. */
  #rate({ receivedBytes, begunMs }: Transfer, nowMs: number): number {
    const rate = 1000 * receivedBytes / Math.max(1, nowMs - begunMs);
    this.#bestBytesPerSecond = Math.max(this.#bestBytesPerSecond, rate);
    return rate;
  }

  async #get(transfer: Transfer, signal: AbortSignal): Promise<void> {
    const { index, holder } = transfer;
    const { node, plan, assembly, onEvent } = this.#parts;
    try {
      const either = AbortSignal.any([signal, transfer.stop.signal]);
      await this.#receive(transfer, either);
      const nowMs = node.runtime.clock.monotonicMs();
      this.#rate(transfer, nowMs);
      this.#longestMs = Math.max(this.#longestMs, nowMs - transfer.begunMs);
      this.used.set(index, holder.id);
      onEvent({
        type: "fragment",
        index,
        holder: holder.id,
        doneCount: assembly.haveCount,
        needCount: plan.dataCount,
      });
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      this.#failedCount++;
      this.#lastReason = messageOf(error);
      this.#countFailure(holder, codeOf(error));
      node.runtime.counters.add("fetch.fragment_failed");
      onEvent({
        type: "failed",
        index,
        holder: holder.id,
        reason: this.#lastReason,
      });
    } finally {
      this.#running.delete(index);
      this.#addLoad(holder, -1);
    }
  }

  /** Who lied, or failed again, is trusted no more; that one fragment is absent says nothing of the others. */
  #countFailure(holder: NodeRecord, code: ErrorCode | undefined): void {
    if (code === "absent") return;
    const key = keyOf(holder.id);
    if (this.#distrusted.has(key)) {
      this.#lastResortCount++;
      return;
    }
    const count = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, count);
    if (count < HOLDER_FAILURES_MAX && !LIES.includes(code)) return;
    this.#parts.node.runtime.counters.add("fetch.holder_dropped");
    this.#distrusted.add(key);
  }

  #addLoad({ id }: NodeRecord, change: number): void {
    const key = keyOf(id);
    this.#load.set(key, (this.#load.get(key) ?? 0) + change);
  }

  async #receive(transfer: Transfer, outer: AbortSignal): Promise<void> {
    const { index, holder } = transfer;
    const { node, plan, assembly, budget, onEvent } = this.#parts;
    const { shardBytes, dataCount } = plan;
    using deadline = node.runtime.clock.deadline(
      transferTimeoutMs(shardBytes),
      outer,
    );
    const { signal } = deadline;
    const { bulk } = await askHolder(
      node,
      holder,
      {
        type: "get_fragment",
        plan: plan.hash,
        index,
        offset: 0,
        length: shardBytes,
      },
      signal,
    );
    using reader = bulk;
    if (reader === undefined || reader.bytes !== shardBytes) {
      throw new TesserasError(
        "corrupt",
        `Cannot take fragment ${index}: ${
          reader?.bytes ?? 0
        } bytes offered, wanted ${shardBytes}`,
      );
    }
    await using sink = await assembly.begin(index, signal);
    for (;;) {
      const chunk = await reader.read(signal);
      if (chunk === undefined) break;
      await budget?.spend(chunk.length, signal);
      await this.#ours(sink.write(chunk, signal), signal);
      transfer.receivedBytes += chunk.length;
      this.#receivedBytes += chunk.length;
      onEvent({
        type: "received",
        receivedBytes: this.#receivedBytes,
        totalBytes: dataCount * shardBytes,
      });
    }
    await sink.finish(signal);
  }

  /** A failure to write is of this disk: asking others for the same would fill it again. */
  async #ours(writing: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await writing;
    } catch (error) {
      if (!signal.aborted) this.#broken ??= error;
      throw error;
    }
  }
}
