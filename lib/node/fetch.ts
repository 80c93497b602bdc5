/** The whole fetch story: find holders, get any k fragments, rebuild, verify, keep. */
import { type Archive, Assembly } from "@tesseras/archive";
import {
  codeOf,
  type Hash,
  keyOf,
  messageOf,
  type NodeId,
  shuffled,
  Tasks,
  type TesseraId,
  TesserasError,
  throwIfAborted,
  toHex,
} from "@tesseras/core";
import {
  FETCH_PARALLEL,
  FETCH_SPARE,
  QUERY_TIMEOUT_MS,
} from "@tesseras/core/limits";
import type { Blobs } from "@tesseras/blobs";
import type { MlDsaSuite } from "@tesseras/crypto";
import { transferTimeoutMs } from "@tesseras/net";
import { type Plan, readPlan, verifyPlan } from "@tesseras/tessera";
import type { NodeRecord } from "@tesseras/wire";
import type { Node } from "./node.ts";
import { findProviders, type Provider } from "./pointers.ts";

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

/** What came back and from whom. */
export type FetchReport = {
  readonly tesseraId: TesseraId;
  readonly planHash: Hash;
  readonly packBytes: number;
  readonly dataCount: number;
  readonly parityCount: number;
  /** Holder of each fragment that was used, by index. */
  readonly used: ReadonlyMap<number, NodeId>;
  /** Data fragments that were rebuilt from parity. */
  readonly rebuiltCount: number;
  readonly failedCount: number;
};

/** What a fetch works with. */
export type FetchParts = {
  readonly node: Node;
  readonly archive: Archive;
  readonly blobs: Blobs;
  readonly suite: MlDsaSuite;
};

/**
 * Brings a tessera into the local archive. Nothing is listed there unless every signature and hash is right.
 *
 * @throws `absent` when nobody is known to hold it, `tooFew` when too few fragments could be had,
 * `corrupt` or `forged` when what came back is not the tessera
 */
export async function fetch(
  parts: FetchParts,
  tesseraId: TesseraId,
  onEvent: (event: FetchEvent) => void,
  signal: AbortSignal,
): Promise<FetchReport> {
  const providers = await findProviders(parts.node, tesseraId, signal);
  onEvent({ type: "found", holderCount: providers.length });
  if (providers.length === 0) {
    throw new TesserasError(
      "absent",
      `Cannot fetch ${
        toHex(tesseraId).slice(0, 16)
      }: no peer says it holds a fragment of it`,
    );
  }
  let problem: unknown;
  for (const group of byPlan(providers)) {
    try {
      return await fetchPlan(parts, tesseraId, group, onEvent, signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      parts.node.runtime.counters.add("fetch.plan_failed");
      parts.node.runtime.log.info("fetch.plan_failed", {
        plan: toHex(group[0]!.record.planHash),
        reason: messageOf(error),
      });
      problem ??= error;
    }
  }
  throw problem;
}

/** Providers by plan, the plan with the most fragments first. Anybody can make up a plan; only a true one rebuilds. */
function byPlan(providers: readonly Provider[]): (readonly Provider[])[] {
  const groups = new Map<string, Provider[]>();
  for (const provider of providers) {
    const key = keyOf(provider.record.planHash);
    groups.set(key, [...groups.get(key) ?? [], provider]);
  }
  const reach = (group: readonly Provider[]): number =>
    new Set(group.flatMap((p) => p.record.indices)).size;
  return [...groups.values()].sort((a, b) => reach(b) - reach(a));
}

async function fetchPlan(
  parts: FetchParts,
  tesseraId: TesseraId,
  group: readonly Provider[],
  onEvent: (event: FetchEvent) => void,
  signal: AbortSignal,
): Promise<FetchReport> {
  const plan = await getPlan(parts, tesseraId, group, signal);
  const { dataCount, parityCount, packBytes } = plan;
  onEvent({ type: "plan", dataCount, parityCount, packBytes });
  await using assembly = await Assembly.open(parts.blobs, plan, signal);
  const gather = new Gather(parts.node, plan, assembly, group, onEvent);
  await gather.run(signal);
  const missing = Array.from({ length: dataCount }, (_, index) => index)
    .filter((index) => !gather.used.has(index));
  onEvent({ type: "rebuilding", missingCount: missing.length });
  const pack = await assembly.finish(signal);
  onEvent({ type: "verifying" });
  await parts.archive.importPack(pack, plan, signal);
  return {
    tesseraId,
    planHash: plan.hash,
    packBytes,
    dataCount,
    parityCount,
    used: gather.used,
    rebuiltCount: missing.length,
    failedCount: gather.failedCount,
  };
}

/** The plan, from the first holder that gives a true one. */
async function getPlan(
  parts: FetchParts,
  tesseraId: TesseraId,
  group: readonly Provider[],
  signal: AbortSignal,
): Promise<Plan> {
  const { node } = parts;
  const planHash = group[0]!.record.planHash;
  const reasons: string[] = [];
  for (const { holder } of shuffled(group, node.runtime.random)) {
    try {
      using deadline = node.runtime.clock.deadline(QUERY_TIMEOUT_MS, signal);
      const { response } = await node.ask(
        holder,
        { type: "get_plan", plan: planHash },
        {},
        deadline.signal,
      );
      const plan = readPlan(response.plan);
      if (
        keyOf(plan.hash) !== keyOf(planHash) ||
        keyOf(plan.tesseraId) !== keyOf(tesseraId)
      ) {
        throw new TesserasError(
          "forged",
          "Cannot use a plan: it is for another tessera than announced",
        );
      }
      await verifyPlan(plan, parts.suite);
      return plan;
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      reasons.push(messageOf(error));
    }
  }
  throw new TesserasError(
    "tooFew",
    `Cannot fetch: none of ${group.length} holders gave the plan; ${
      reasons[0]
    }`,
  );
}

/** Asks holders for fragments until k are there; the rest is cancelled. */
class Gather {
  readonly used = new Map<number, NodeId>();
  failedCount = 0;
  readonly #node: Node;
  readonly #plan: Plan;
  readonly #assembly: Assembly;
  readonly #onEvent: (event: FetchEvent) => void;
  /** Who may still be asked for each fragment. */
  readonly #sources = new Map<number, NodeRecord[]>();
  /** Transfers in flight by holder, so that the load spreads. */
  readonly #load = new Map<string, number>();
  readonly #running = new Set<number>();
  #receivedBytes = 0;
  #lastReason = "no holder is left";

  constructor(
    node: Node,
    plan: Plan,
    assembly: Assembly,
    group: readonly Provider[],
    onEvent: (event: FetchEvent) => void,
  ) {
    this.#node = node;
    this.#plan = plan;
    this.#assembly = assembly;
    this.#onEvent = onEvent;
    for (const { record, holder } of shuffled(group, node.runtime.random)) {
      for (const index of record.indices) {
        if (index >= plan.fragments.length) continue;
        this.#sources.set(index, [...this.#sources.get(index) ?? [], holder]);
      }
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    await using tasks = new Tasks(signal);
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const abort = (): void => end();
    tasks.signal.addEventListener("abort", abort, { once: true });
    const step = (): void => {
      if (this.#assembly.complete) return end();
      while (this.#wanted()) {
        const next = this.#pick();
        if (next === undefined) break;
        tasks.spawn(async (taskSignal) => {
          await this.#get(next.index, next.holder, taskSignal);
          step();
        });
      }
      if (this.#running.size === 0) end();
    };
    step();
    await over;
    // Whoever is still sending is no longer needed.
    await tasks.stop();
    throwIfAborted(signal);
    if (this.#assembly.complete) return;
    throw new TesserasError(
      "tooFew",
      `Cannot rebuild: have ${this.used.size} of ${this.#plan.dataCount} fragments; ${this.#lastReason}`,
    );
  }

  #wanted(): boolean {
    const missing = this.#plan.dataCount - this.used.size;
    return this.#running.size <
      Math.min(FETCH_PARALLEL, missing + FETCH_SPARE);
  }

  /** Data fragments before parity (they need no decoding), from the holder with the least to do. */
  #pick():
    | { readonly index: number; readonly holder: NodeRecord }
    | undefined {
    const loadOf = (holder: NodeRecord): number =>
      this.#load.get(keyOf(holder.id)) ?? 0;
    let best:
      | { readonly index: number; readonly holder: NodeRecord }
      | undefined;
    let bestWeight = Infinity;
    for (const [index, holders] of this.#sources) {
      if (this.used.has(index) || this.#running.has(index)) continue;
      for (const holder of holders) {
        const weight = loadOf(holder) * 1000 +
          (index < this.#plan.dataCount ? 0 : 500) + index;
        if (weight < bestWeight) {
          best = { index, holder };
          bestWeight = weight;
        }
      }
    }
    return best;
  }

  async #get(
    index: number,
    holder: NodeRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const key = keyOf(holder.id);
    this.#running.add(index);
    this.#load.set(key, (this.#load.get(key) ?? 0) + 1);
    const left = (this.#sources.get(index) ?? []).filter((h) => h !== holder);
    this.#sources.set(index, left);
    try {
      await this.#receive(index, holder, signal);
      this.used.set(index, holder.id);
      this.#onEvent({
        type: "fragment",
        index,
        holder: holder.id,
        doneCount: this.used.size,
        needCount: this.#plan.dataCount,
      });
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      this.failedCount++;
      this.#lastReason = messageOf(error);
      const reason = this.#lastReason;
      this.#node.runtime.counters.add("fetch.fragment_failed");
      this.#onEvent({ type: "failed", index, holder: holder.id, reason });
    } finally {
      this.#running.delete(index);
      this.#load.set(key, (this.#load.get(key) ?? 1) - 1);
    }
  }

  async #receive(
    index: number,
    holder: NodeRecord,
    outer: AbortSignal,
  ): Promise<void> {
    const { shardBytes, dataCount } = this.#plan;
    using deadline = this.#node.runtime.clock.deadline(
      transferTimeoutMs(shardBytes),
      outer,
    );
    const { signal } = deadline;
    const { bulk } = await this.#node.ask(
      holder,
      {
        type: "get_fragment",
        plan: this.#plan.hash,
        index,
        offset: 0,
        length: shardBytes,
      },
      {},
      signal,
    );
    await using reader = bulk;
    if (reader === undefined || reader.bytes !== shardBytes) {
      throw new TesserasError(
        "corrupt",
        `Cannot take fragment ${index}: ${
          reader?.bytes ?? 0
        } bytes offered, wanted ${shardBytes}`,
      );
    }
    await using sink = await this.#assembly.begin(index, signal);
    for (;;) {
      const chunk = await reader.read(signal);
      if (chunk === undefined) break;
      await sink.write(chunk, signal);
      this.#receivedBytes += chunk.length;
      this.#onEvent({
        type: "received",
        receivedBytes: this.#receivedBytes,
        totalBytes: dataCount * shardBytes,
      });
    }
    await sink.finish(signal);
  }
}
